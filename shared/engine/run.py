"""What a handler or a step may know about the run that it works for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from datetime import datetime

    from shared.engine.envelope import Envelope
    from shared.engine.identity import RunId


class LambdaContext(Protocol):
    """What the engine needs of the context object that Lambda passes to a handler."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda ends this call."""
        ...


@dataclass(frozen=True)
class Run:
    """One execution of one function for one event.

    `attempt` counts from 1. `cursor` is what the last `Continue` carried, None at first.
    """

    id: RunId
    function: str
    envelope: Envelope = field(repr=False)
    attempt: int = 1
    step: str | None = None
    cursor: Any = None
    context: LambdaContext | None = field(default=None, repr=False, compare=False)

    @property
    def event_id(self) -> str:
        """The id of the event that started the run."""
        return self.envelope.event_id

    @property
    def event_time(self) -> datetime:
        """When the event happened, in UTC, never later than the run's acceptance.

        Work that depends on "now" counts from it, so that a retry or a replay does the same.
        """
        return self.envelope.event_time

    def remaining(self) -> timedelta:
        """Return how long this call may still work before Lambda ends it; without a Lambda, an hour."""
        if self.context is None:
            return timedelta(hours=1)
        return timedelta(milliseconds=self.context.get_remaining_time_in_millis())
