"""A workflow whose state machine may not call its function."""

from __future__ import annotations

from typing import ClassVar

from shared.engine import Workflow
from shared.events.event import Event


class Called(Event):
    """Start the workflow."""

    event_name: ClassVar[str] = "desk/call"

    words: str


workflow = Workflow("desk-call", trigger=Called)


@workflow.step
def pick_up(event: Called) -> str:
    """Return what was said, if ever it is called."""
    return event.words


handler = workflow.handler
