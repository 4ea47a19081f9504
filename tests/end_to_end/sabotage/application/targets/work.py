"""A task whose workers are killed."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.engine import Continue, Failure, Run, Task, once

from .diary import do, keep, keeping, writing
from .events import WorkRequested
from .kill_points import watched

if TYPE_CHECKING:
    from .events import PacedWorkRequested

LIMIT = timedelta(seconds=1)  # of an effect: over before a dead worker's message is back

task = Task("sabotage-work", trigger=WorkRequested, attempts=3)


def work(event: WorkRequested | PacedWorkRequested, run: Run) -> dict[str, int]:
    """Do what the attempt is to do, then the effect, once a call."""
    do(event.deeds, run)
    time.sleep(event.seconds)
    call = (run.cursor or 0) + 1
    effect = writing(run, "effect" if event.calls == 1 else f"effect {call}")
    if event.protection == "none":
        effect()
    else:
        once(run, str(call), effect, policy=event.protection, limit=LIMIT)
        keep()
    if call < event.calls:
        raise Continue(cursor=call)
    return {"calls": call, "ballast": len(event.ballast)}


def tell(event: WorkRequested | PacedWorkRequested, failure: Failure) -> None:
    """Write down that the run failed."""
    once(failure.run, "told", writing(failure.run, "told"), policy="repeat", limit=LIMIT)
    keep()


task(work)
task.on_failure(tell)
handler = watched(keeping(task.handler))
