"""Every few minutes, find what lost its way and drive it on."""

from __future__ import annotations

from shared import clock
from shared.engine import Continue, Run, Task
from shared.engine.missed import expect_schedules
from shared.engine.reconciler import FUNCTION, Reconciler
from shared.events.schedule import ScheduleFired

task = Task(FUNCTION, trigger=ScheduleFired, attempts=2)


@task
def reconcile(event: ScheduleFired, run: Run) -> dict[str, int]:
    """Return how many unfinished items were looked at, and how many runs were driven on, by the kind of finding.

    It looks as of its scheduled time, so fired as of a later time it finds what will be overdue by then. Repeating it
    is safe: what it drove on is not looked at again for a while, and driving on what goes well changes nothing.
    """
    margin = run.remaining() / 4  # for the item that is looked at when the time is over: far more than one takes
    totals: dict[str, int] = dict(run.cursor or {})
    if not totals:
        expect_schedules(min(event.scheduled_at, clock.now()))
    reconciler = Reconciler(event.scheduled_at, lambda: run.remaining() > margin)
    is_done = reconciler.run()
    for finding, number in (reconciler.found | {"looked_at": reconciler.looked_at}).items():
        totals[finding] = totals.get(finding, 0) + number
    if not is_done:
        raise Continue(cursor=totals)
    return totals


handler = task.handler
