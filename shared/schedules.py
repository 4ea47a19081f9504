"""When a schedule of EventBridge Scheduler fires, and what it sends then.

Expressions: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html. With a time zone that has
daylight saving, a local time that does not exist is skipped and one that comes twice fires once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING, Final
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CALL: Final = re.compile(r"(?P<kind>cron|rate|at)\((?P<body>[^()]*)\)")
_RATE: Final = re.compile(r"(?P<value>[1-9][0-9]{0,9}) (?P<unit>minute|hour|day)s?")
_YEAR: Final = re.compile(r"(?P<first>[0-9]{4})(?:-(?P<last>[0-9]{4}))?(?:/(?P<step>[0-9]{1,3}))?")
_YEARS: Final = range(1970, 2200)  # those that EventBridge Scheduler takes
_LAST: Final = datetime(2200, 1, 1, tzinfo=UTC)


class ScheduleExpressionError(ValueError):
    """An expression that EventBridge Scheduler would refuse, or whose times cannot be told here."""


@dataclass(frozen=True)
class Timing:
    """When a schedule fires: its expression, and the zone in which it is to be read."""

    expression: str
    zone: str = "UTC"

    def after(self, moment: datetime) -> Iterator[datetime]:
        """Yield the times, in UTC, at which the schedule fires after `moment`; a rate counts from `moment`.

        Raises:
            ScheduleExpressionError: the expression or the zone is wrong.
        """
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: "America" is a folder
            raise ScheduleExpressionError(f"no time zone {self.zone!r}") from error
        match = _CALL.fullmatch(self.expression)
        if match is None:
            raise ScheduleExpressionError(f"not cron(…), rate(…) or at(…): {self.expression!r}")
        times = {"cron": _cron, "rate": _rate, "at": _at}[match["kind"]]
        try:
            return times(match["body"].strip(), zone, moment.astimezone(UTC))
        except OverflowError:
            raise ScheduleExpressionError(f"beyond the times that can be told: {self.expression!r}") from None

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the times, in UTC, at which the schedule fires after `after` and not after `until`.

        Raises:
            ScheduleExpressionError: as for `after`; also for a rate, which counts from the moment when its schedule was
                made: the expression alone does not say when it should have fired. Write `cron(0/5 * * * ? *)` instead.
        """
        times = self.after(after)
        if self.expression.startswith("rate"):
            raise ScheduleExpressionError(f"only a cron(…) or at(…) says by itself when it fires: {self.expression!r}")
        return takewhile(lambda fires: fires <= until, times)


def _cron(body: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    fields = body.split()
    if len(fields) != 6:
        raise ScheduleExpressionError(f"cron takes six fields, not {len(fields)}: {body!r}")
    minute, hour, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise ScheduleExpressionError(f"one of day-of-month and day-of-week is to be '?': {body!r}")
    if "W" in day:
        raise ScheduleExpressionError(f"W, the weekday that is nearest, cannot be told here: {body!r}")
    unix = " ".join((minute, hour, day.replace("?", "*"), month, _unix_weekday(weekday)))
    years = _years(year)
    local = moment.astimezone(zone).replace(tzinfo=None)
    try:
        CronSim(unix, local)
    except (CronSimError, ValueError) as error:
        raise ScheduleExpressionError(f"not a cron expression: {body!r}: {error}") from None
    return _existing(_local_times(unix, local, years), zone, moment)


def _local_times(unix: str, start: datetime, years: Sequence[int]) -> Iterator[datetime]:
    """Yield the local times of a cron expression from `start` on, without a zone.

    What daylight saving does to them is AWS's rule, not cron's. Each year is begun anew, so that the years in between
    are not walked minute by minute.
    """
    for year in years[bisect_left(years, start.year) :]:
        first = datetime(year, 1, 1)  # noqa: DTZ001 (as above)
        # CronSim's first time comes after what it is given
        times = CronSim(unix, max(start, first) - timedelta(seconds=1))
        yield from takewhile(lambda local: local.year == year, times)  # noqa: B023 (used within this turn)


def _existing(local_times: Iterator[datetime], zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    for local in local_times:
        fires = local.replace(tzinfo=zone).astimezone(UTC)  # of two equal local times, the first
        if fires > moment and fires.astimezone(zone).replace(tzinfo=None) == local:
            yield fires


def _unix_weekday(field: str) -> str:
    """Return AWS's day-of-week (1-7 from Sunday, `L` Saturday) as cron's (0-6 from Sunday)."""
    if field in {"?", "*"}:
        return "*"
    if field == "L":
        return "6"

    def down(match: re.Match[str]) -> str:
        if match[0] not in {"1", "2", "3", "4", "5", "6", "7"}:
            raise ScheduleExpressionError(f"a day of the week is 1 to 7: {field!r}")
        return str(int(match[0]) - 1)

    # a number after # or / counts weeks or steps; only the others are days
    return re.sub(r"(?<![#/\d])\d+", down, field)


def _years(field: str) -> Sequence[int]:
    """Return the years in which a cron expression fires, in order."""
    if field == "*":
        return _YEARS
    years: set[int] = set()
    for part in field.split(","):
        match = _YEAR.fullmatch(part)
        if match is None:
            raise ScheduleExpressionError(f"not a year: {part!r}")
        first, step = int(match["first"]), int(match["step"] or 1)
        last = int(match["last"]) if match["last"] else (_YEARS[-1] if match["step"] else first)
        if first not in _YEARS or last not in _YEARS or last < first or not step:
            raise ScheduleExpressionError(f"not years from {_YEARS[0]} to {_YEARS[-1]}: {part!r}")
        years.update(range(first, last + 1, step))
    return sorted(years)


def _rate(body: str, _: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    match = _RATE.fullmatch(body)
    if match is None:
        raise ScheduleExpressionError(f"not a rate such as '5 minutes': {body!r}")
    step = timedelta(**{f"{match['unit']}s": int(match["value"])})

    def times() -> Iterator[datetime]:
        fires = moment
        while fires <= _LAST - step:
            fires += step
            yield fires

    return times()


def _at(body: str, zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    try:
        local = datetime.fromisoformat(body).replace(tzinfo=None)
    except ValueError:
        local = None
    if local is None or local.isoformat() != body:  # the form alone, without an offset
        raise ScheduleExpressionError(f"not a local time such as 2026-11-20T13:00:00: {body!r}")
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
