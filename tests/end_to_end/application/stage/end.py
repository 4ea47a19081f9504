"""A workflow that ends as its event asks."""

from __future__ import annotations

from shared.engine import Failure, Run, Workflow

from .deeds import do, write, write_failure
from .events import EndRequested

workflow = Workflow("stage-end", trigger=EndRequested)


@workflow.step
def perform(event: EndRequested, run: Run) -> None:
    """Write `started` and do the deed that the event names, at each attempt."""
    write(event.diary, event_id=run.event_id, what="started", attempt=run.attempt)
    if event.how in ("fail", "refuse", "die", "hang"):
        do((event.how,), run.attempt)
    elif event.how == "time-out":
        do(("hang",), run.attempt)
    elif event.how == "in-a-branch":
        do(("fail",), run.attempt)


@workflow.step
def bow(run: Run) -> str:
    """Return what is said in the end."""
    return f"{run.function} is over"


@workflow.on_failure
def told(event: EndRequested, failure: Failure) -> None:
    """Write down what is told of a bad end."""
    write_failure(event.diary, failure)


handler = workflow.handler
