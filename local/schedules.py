"""Fire the template's schedules when they are due, as EventBridge Scheduler would.

Expressions: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. With a time zone that has
daylight saving, a local time that does not exist is skipped and one that comes twice fires once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Final
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from shared import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from local.template.deployment import Schedule

_CALL: Final = re.compile(r"(?P<kind>cron|rate|at)\((?P<body>[^()]*)\)")
_RATE: Final = re.compile(r"(?P<value>[1-9][0-9]*) (?P<unit>minute|hour|day)s?")
_LONGEST_NAP_SECONDS: Final = 30.0  # a laptop that slept is noticed within this time


class ScheduleExpressionError(ValueError):
    """An expression that EventBridge Scheduler would refuse, or that the local stack cannot evaluate."""


@dataclass(frozen=True)
class Timing:
    """When a schedule fires: its expression, and the zone in which it is to be read."""

    expression: str
    zone: str = "UTC"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the times, in UTC, at which the schedule fires after `moment`; a rate counts from `moment`.

        Raises:
            ScheduleExpressionError: at the first use, if the expression or the zone is wrong.
        """
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ScheduleExpressionError(f"no time zone {self.zone!r}") from error
        match = _CALL.fullmatch(self.expression)
        if match is None:
            raise ScheduleExpressionError(f"not cron(…), rate(…) or at(…): {self.expression!r}")
        times = {"cron": _cron, "rate": _rate, "at": _at}[match["kind"]]
        return times(match["body"].strip(), zone, moment.astimezone(UTC))


def _cron(body: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    fields = body.split()
    if len(fields) != 6:
        raise ScheduleExpressionError(f"cron takes six fields, not {len(fields)}: {body!r}")
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ScheduleExpressionError(f"one of day-of-month and day-of-week is to be '?': {body!r}")
    if "W" in day:
        raise ScheduleExpressionError(f"the local stack does not know W: {body!r}")
    unix = " ".join((minute, hour, day.replace("?", "*"), month, _unix_weekday(weekday)))
    years = _years(year)
    try:
        # Naive local times: what daylight saving does to them is AWS's rule, not cron's.
        local_times = CronSim(unix, moment.astimezone(zone).replace(tzinfo=None) - timedelta(hours=2))
    except CronSimError as error:
        raise ScheduleExpressionError(f"not a cron expression: {body!r}: {error}") from None
    return _existing(local_times, zone, moment, years)


def _existing(
    local_times: Iterator[datetime], zone: ZoneInfo, moment: datetime, years: range | frozenset[int]
) -> Iterator[datetime]:
    last = max(years)
    for local in local_times:
        if local.year > last:
            return
        fires = local.replace(tzinfo=zone).astimezone(UTC)  # of two equal local times, the first
        exists = fires.astimezone(zone).replace(tzinfo=None) == local
        if exists and fires > moment and local.year in years:
            yield fires


def _unix_weekday(field: str) -> str:
    """Return AWS's day-of-week (1-7 from Sunday, `L` Saturday) as cron's (0-6 from Sunday)."""
    if field in {"?", "*"}:
        return "*"
    if field == "L":
        return "6"

    def down(match: re.Match[str]) -> str:
        number = int(match[0])
        if not 1 <= number <= 7:
            raise ScheduleExpressionError(f"a day of the week is 1 to 7: {field!r}")
        return str(number - 1)

    # a number after # or / counts weeks or steps; only the others are days
    return re.sub(r"(?<![#/\d])\d+", down, field)


def _years(field: str) -> range | frozenset[int]:
    if field == "*":
        return range(1970, 2200)
    years: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"(\d{4})(?:-(\d{4}))?(?:/(\d+))?", part)
        if match is None:
            raise ScheduleExpressionError(f"not a year: {part!r}")
        end = int(match[2]) if match[2] else (2199 if match[3] else int(match[1]))
        years.update(range(int(match[1]), end + 1, int(match[3] or 1)))
    if not years:
        raise ScheduleExpressionError(f"no year: {field!r}")
    return frozenset(years)


def _rate(body: str, _: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    match = _RATE.fullmatch(body)
    if match is None:
        raise ScheduleExpressionError(f"not a rate such as '5 minutes': {body!r}")
    step = timedelta(**{f"{match['unit']}s": int(match["value"])})

    def times() -> Iterator[datetime]:
        fires = moment
        while True:
            fires += step
            yield fires

    return times()


def _at(body: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    try:
        local = datetime.fromisoformat(body)
    except ValueError as error:
        raise ScheduleExpressionError(f"not a local time such as 2026-11-20T13:00:00: {body!r}") from error
    if local.tzinfo is not None:
        raise ScheduleExpressionError(f"at(…) takes a local time without an offset: {body!r}")
    fires = local.replace(tzinfo=zone).astimezone(UTC)
    return iter([fires] if fires > moment else [])


def input_at(template: str, at: datetime) -> str:
    """Return a schedule's input for the time `at`: EventBridge Scheduler's keywords in `template` are filled in.

    https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
    """
    values = {
        "scheduled-time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "execution-id": uuid4().hex,
        "attempt-number": "1",
    }
    return re.sub(r"<aws\.scheduler\.([a-z-]+)>", lambda match: values.get(match[1], match[0]), template)


class ScheduleRunner:
    """A thread that sends each enabled schedule's input to its target when it is due."""

    def __init__(self, schedules: Iterable[Schedule], send: Callable[[str, str], None]) -> None:
        """`send` takes the target's ARN and the body."""
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
                self._send(schedule.target_arn, input_at(schedule.input, due))
                due = self._due[schedule] = next(self._times[schedule], None)  # noqa: PLW2901 (the next of the same)
        return min((due for due in self._due.values() if due is not None), default=None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            due = self.fire_due()
            left = (due - clock.now()).total_seconds() if due else _LONGEST_NAP_SECONDS
            self._stopping.wait(max(0.0, min(left, _LONGEST_NAP_SECONDS)))
