"""A throttled task whose workers are killed."""

from __future__ import annotations

from shared.engine import Task, Throttle

from .diary import keeping
from .events import PacedWorkRequested
from .kill_points import watched
from .work import tell, work

task = Task("sabotage-paced", trigger=PacedWorkRequested, attempts=3, throttle=Throttle(1, "1s", key="lane"))

task(work)
task.on_failure(tell)
handler = watched(keeping(task.handler))
