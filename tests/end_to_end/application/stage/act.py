"""A task that misbehaves on request."""

from __future__ import annotations

from pydantic import BaseModel

from shared.engine import Continue, Failure, Run, Task

from .deeds import do, wait_for, write, write_failure
from .events import ActRequested


class Acted(BaseModel):
    """How many calls the work took."""

    calls: int


task = Task("stage-act", trigger=ActRequested, attempts=3)


@task
def act(event: ActRequested, run: Run) -> Acted:
    """Write `started`, do what the attempt is to do, and write `effect`, once a call."""
    call = (run.cursor or 0) + 1
    write(event.diary, event_id=run.event_id, what="started", attempt=run.attempt, call=call)
    do(event.deeds, run.attempt)
    if event.gate:
        wait_for(event.gate)
    write(event.diary, event_id=run.event_id, what="effect", attempt=run.attempt, call=call)
    if call < event.calls:
        raise Continue(cursor=call)
    return Acted(calls=call)


@task.on_failure
def told(event: ActRequested, failure: Failure) -> None:
    """Write down what is told of a bad end, and do what its attempt is to do."""
    write_failure(event.diary, failure)
    do(event.deeds_when_told, failure.run.attempt)


handler = task.handler
