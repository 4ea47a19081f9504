"""Events by which Nightshift tells of runs that did not succeed."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from shared.events.event import Event


class RunError(BaseModel):
    """What went wrong: the error's class and its message."""

    type: str
    message: str


class CausingEvent(BaseModel):
    """The event that the run worked for; its data is empty where it could not be read."""

    name: str
    id: str
    data: dict[str, Any] = {}


class RunEnded(Event):
    """What the events of this module have in common; no event of its own.

    `step` is the failing step of a workflow, `attempt` (from 1) its last attempt.
    """

    function_id: str
    run_id: str
    error: RunError
    step: str | None = None
    attempt: int | None = None
    event: CausingEvent


class FunctionFailed(RunEnded):
    """A run failed for good."""

    event_name: ClassVar[str] = "nightshift/function.failed"


class FunctionCancelled(RunEnded):
    """A run was stopped, by a person or because it took too long to start or to finish."""

    event_name: ClassVar[str] = "nightshift/function.cancelled"
