"""A task that hears of failures: each should be news once."""

from __future__ import annotations

from shared.engine import Run, Task
from shared.events.outcomes import FunctionFailed

from .kill_points import watched

task = Task("sabotage-watch", trigger=FunctionFailed)


@task
def hear(event: FunctionFailed, run: Run) -> str:
    """Return which run failed."""
    return event.run_id


handler = watched(task.handler)
