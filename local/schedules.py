"""Fire the template's schedules when they are due, as EventBridge Scheduler would."""

from __future__ import annotations

from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from shared import clock
from shared.schedules import Timing, input_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from local.template.deployment import Schedule

_LONGEST_NAP_SECONDS: Final = 30.0  # a laptop that slept is noticed within this time


class ScheduleRunner:
    """A thread that sends each enabled schedule's input to its target when it is due."""

    def __init__(self, schedules: Iterable[Schedule], send: Callable[[Schedule, str], None]) -> None:
        """`send` takes the schedule and the body."""
        now = clock.now()
        self._send = send
        self._times = {
            each: Timing(each.expression, each.time_zone).after(now) for each in schedules if each.state == "ENABLED"
        }
        self._due = {each: next(times, None) for each, times in self._times.items()}
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="schedules", daemon=True)

    def start(self) -> None:
        """Begin to watch the time."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what is due later stays unsent."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def fire_due(self) -> datetime | None:
        """Send what is due by now and return when something is due next, if ever."""
        now = clock.now()
        for schedule, due in self._due.items():
            while due is not None and due <= now:
                self._send(schedule, input_at(schedule.input, due))
                due = self._due[schedule] = next(self._times[schedule], None)  # noqa: PLW2901 (the next of the same)
        return min((due for due in self._due.values() if due is not None), default=None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            due = self.fire_due()
            left = (due - clock.now()).total_seconds() if due else _LONGEST_NAP_SECONDS
            self._stopping.wait(max(0.0, min(left, _LONGEST_NAP_SECONDS)))
