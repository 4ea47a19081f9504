"""The times of cron schedules against every minute of the days around a change of the clocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.schedules import ScheduleExpressionError, Timing

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
ZONES = (
    "Europe/Lisbon",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "America/Havana",  # at midnight
    "America/Santiago",  # at midnight, in the other half of the year
    "Antarctica/Troll",  # two hours
    "Africa/Casablanca",  # around Ramadan
    "Asia/Kathmandu",  # none, and 5:45 hours from UTC
)


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The hours of 2024 to 2030 after which the zone's offset differs, in UTC."""
    tz, start = ZoneInfo(zone), datetime(2024, 1, 1, tzinfo=UTC)
    hours = [start + timedelta(hours=number) for number in range(7 * 365 * 24)]
    offsets = [hour.astimezone(tz).utcoffset() for hour in hours]
    found = [hour for hour, (before, after) in zip(hours, pairwise(offsets), strict=False) if before != after]
    return tuple(found) or (start,)


@dataclass(frozen=True)
class Field:
    """One field of an expression: as it is written, and what it means."""

    text: str
    values: frozenset[int]


@dataclass(frozen=True)
class Days:
    """The three fields that say on which days, and what they mean."""

    day: str
    month: str
    weekday: str
    matches: Callable[[date], bool]


def fields(size: int) -> st.SearchStrategy[Field]:
    """Fields of the values from 0 to `size` - 1."""
    value = st.integers(0, size - 1)
    return st.one_of(
        st.just(Field("*", frozenset(range(size)))),
        value.map(lambda one: Field(str(one), frozenset({one}))),
        st.lists(value, min_size=1, max_size=4).map(lambda all_: Field(",".join(map(str, all_)), frozenset(all_))),
        st.tuples(value, value).map(lambda ends: _range(min(ends), max(ends))),
        st.tuples(value, st.integers(1, size)).map(
            lambda steps: Field(f"{steps[0]}/{steps[1]}", frozenset(range(steps[0], size, steps[1])))
        ),
    )


def _range(first: int, last: int) -> Field:
    return Field(f"{first}-{last}", frozenset(range(first, last + 1)))


def _sunday_first(day: date) -> int:
    return day.isoweekday() % 7 + 1


DAYS = st.one_of(
    st.just(Days("*", "*", "?", lambda _: True)),
    st.lists(st.integers(1, 31), min_size=1, max_size=15).map(
        lambda some: Days(",".join(map(str, some)), "*", "?", lambda day: day.day in some)
    ),
    st.lists(st.integers(1, 7), min_size=1, max_size=7).map(
        lambda some: Days("?", "*", ",".join(map(str, some)), lambda day: _sunday_first(day) in some)
    ),
    st.tuples(st.integers(1, 7), st.integers(1, 5)).map(
        lambda nth: Days("?", "*", f"{nth[0]}#{nth[1]}", lambda day: (_sunday_first(day), (day.day + 6) // 7) == nth)
    ),
    st.integers(1, 7).map(
        lambda last: Days("?", "*", f"{last}L", lambda day: _sunday_first(day) == last and (day + 7 * DAY).day <= 7)
    ),
    st.just(Days("L", "*", "?", lambda day: (day + DAY).day == 1)),
    st.lists(st.integers(1, 12), min_size=1, max_size=6).map(
        lambda some: Days("*", ",".join(map(str, some)), "?", lambda day: day.month in some)
    ),
)


@dataclass(frozen=True)
class Case:
    """A schedule and a span of time around a change of its zone's clocks."""

    timing: Timing
    minute: Field
    hour: Field
    days: Days
    start: datetime
    end: datetime

    def expected(self) -> list[datetime]:
        """Every minute of the span whose local time matches and is not the second of its name."""
        zone, minutes = ZoneInfo(self.timing.zone), int((self.end - self.start) / MINUTE)
        moments = (self.start + number * MINUTE for number in range(1, minutes + 1))
        return [moment for moment in moments if self.matches(moment.astimezone(zone))]

    def matches(self, local: datetime) -> bool:
        at_its_time = local.minute in self.minute.values and local.hour in self.hour.values
        return at_its_time and local.fold == 0 and self.days.matches(local.date())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(ZONES))
    minute, hour, days = draw(fields(60)), draw(fields(24)), draw(DAYS)
    start = draw(st.sampled_from(changes(zone))) - draw(st.integers(0, 2 * 24 * 60)) * MINUTE
    timing = Timing(f"cron({minute.text} {hour.text} {days.day} {days.month} {days.weekday} *)", zone)
    return Case(timing, minute, hour, days, start, start + 3 * DAY)


@settings(max_examples=150)
@given(cases())
def test_fires_at_each_local_time_that_matches_once_and_at_no_other(case: Case) -> None:
    assert list(case.timing.between(case.start, case.end)) == case.expected()


@settings(max_examples=100)
@given(cases())
def test_times_rise_and_are_in_utc(case: Case) -> None:
    fires = [case.start, *case.timing.between(case.start, case.end)]

    assert all(earlier < later for earlier, later in pairwise(fires))
    assert {each.tzinfo for each in fires} == {UTC}


@settings(max_examples=100)
@given(cases(), st.integers(0, 3 * 24 * 60 * 60))
def test_misses_and_repeats_nothing_wherever_a_span_is_cut(case: Case, seconds: int) -> None:
    cut = case.start + timedelta(seconds=seconds)

    whole = list(case.timing.between(case.start, case.end))
    parts = [*case.timing.between(case.start, cut), *case.timing.between(cut, case.end)]

    assert whole == parts == list(takewhile(lambda fires: fires <= case.end, case.timing.after(case.start)))


@settings(max_examples=100)
@given(st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 59), st.data())
def test_a_daily_time_comes_once_on_each_day_that_has_it(
    zone: str, hour: int, minute: int, data: st.DataObject
) -> None:
    change = data.draw(st.sampled_from(changes(zone))).astimezone(ZoneInfo(zone)).date()
    days = [change + number * DAY for number in range(-2, 4)]
    noon = [datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC) for day in days]

    fires = Timing(f"cron({minute} {hour} * * ? *)", zone).between(noon[0] - DAY, noon[-1] + DAY)

    came = [each.astimezone(ZoneInfo(zone)) for each in fires]
    assert {(each.hour, each.minute) for each in came} <= {(hour, minute)}
    for day in days[1:-1]:
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
        exists = local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local.replace(tzinfo=None)
        assert sum(each.date() == day for each in came) == exists


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_of_a_changed_day_comes_once(zone: str) -> None:
    for change in changes(zone):
        day = change.astimezone(ZoneInfo(zone)).date()
        start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC) - 2 * DAY

        fires = list(Timing("cron(* * * * ? *)", zone).between(start, start + 5 * DAY))

        names = [each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in fires]
        assert len(set(names)) == len(names)
        assert max(later - earlier for earlier, later in pairwise(fires)) <= timedelta(hours=2, minutes=1)


@settings(max_examples=300)
@given(
    st.one_of(
        st.text(),
        st.from_regex(r"\A(cron|rate|at)\([-0-9*?,/#LWA-Z: ]{0,30}\)\Z"),
        st.lists(st.text("0123456789*?,-/#LMONSUFR", min_size=1, max_size=6), min_size=6, max_size=6).map(
            lambda parts: f"cron({' '.join(parts)})"
        ),
    ),
    st.sampled_from(ZONES) | st.text(max_size=20),
)
def test_refuses_any_text_with_one_error_or_tells_its_times(expression: str, zone: str) -> None:
    moment = datetime(2026, 3, 28, tzinfo=UTC)

    try:
        fires = next(Timing(expression, zone).after(moment), None)
    except ScheduleExpressionError:
        return

    assert fires is None or fires > moment
