"""A workflow that misbehaves on request."""

from __future__ import annotations

from shared.engine import Run, Workflow

from .deeds import do, write
from .events import RehearsalRequested

workflow = Workflow("stage-rehearse", trigger=RehearsalRequested)


@workflow.step
def learn(event: RehearsalRequested, run: Run) -> list[str]:
    """Return the lines."""
    do(event.learn, run.attempt)
    write(event.diary, event_id=run.event_id, what="learnt", attempt=run.attempt)
    return ["to be", "or not to be"]


@workflow.step
def recite(event: RehearsalRequested, lines: list[str], run: Run) -> int:
    """Return how many lines were recited."""
    do(event.recite, run.attempt)
    write(event.diary, event_id=run.event_id, what="recited", attempt=run.attempt)
    return len(lines)


handler = workflow.handler
