from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from shared.schedules import ScheduleExpressionError, Timing, input_at

LISBON = ZoneInfo("Europe/Lisbon")


def first(expression: str, after: datetime, zone: str = "UTC", count: int = 1) -> list[str]:
    return [each.strftime("%Y-%m-%dT%H:%M") for each in islice(Timing(expression, zone).after(after), count)]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_fires_at_five_in_lisbon_in_winter_and_in_summer() -> None:
    nightly = "cron(0 5 * * ? *)"

    assert first(nightly, utc(2026, 1, 10), "Europe/Lisbon") == ["2026-01-10T05:00"]
    assert first(nightly, utc(2026, 7, 10), "Europe/Lisbon") == ["2026-07-10T04:00"]


def test_fires_once_each_night_over_both_daylight_saving_days() -> None:
    nightly = "cron(0 5 * * ? *)"

    spring = first(nightly, utc(2026, 3, 28), "Europe/Lisbon", 3)
    autumn = first(nightly, utc(2026, 10, 24), "Europe/Lisbon", 3)

    assert spring == ["2026-03-28T05:00", "2026-03-29T04:00", "2026-03-30T04:00"]
    assert autumn == ["2026-10-24T04:00", "2026-10-25T05:00", "2026-10-26T05:00"]


def test_skips_a_local_time_that_does_not_exist() -> None:
    fires = first("cron(30 1 * * ? *)", utc(2026, 3, 28), "Europe/Lisbon", 2)

    assert fires == ["2026-03-28T01:30", "2026-03-30T00:30"]


def test_fires_once_at_a_local_time_that_comes_twice() -> None:
    fires = first("cron(30 1 * * ? *)", utc(2026, 10, 24, 12), "Europe/Lisbon", 2)

    assert fires == ["2026-10-25T00:30", "2026-10-26T01:30"]


@pytest.mark.parametrize("night", [utc(2026, 3, 29, 0, 59), utc(2026, 10, 25, 0, 45), utc(2026, 10, 25, 1, 15)])
def test_never_fires_in_the_past_when_asked_during_a_change_of_the_clocks(night: datetime) -> None:
    assert next(Timing("cron(*/10 * * * ? *)", "Europe/Lisbon").after(night)) > night


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cron(0 12 ? * 1 *)", "2026-11-01T12:00"),  # 1 is Sunday
        ("cron(0 12 ? * SAT *)", "2026-11-07T12:00"),
        ("cron(0 12 ? * L *)", "2026-11-07T12:00"),
        ("cron(0 12 ? * 2-6 *)", "2026-11-02T12:00"),
        ("cron(0 12 ? * 6L *)", "2026-11-27T12:00"),  # the last Friday
        ("cron(0 12 ? * 3#2 *)", "2026-11-10T12:00"),  # the second Tuesday
        ("cron(0 12 L * ? *)", "2026-11-30T12:00"),
        ("cron(0/15 * * * ? *)", "2026-11-01T00:15"),
        ("cron(0 0 1 1 ? 2028)", "2028-01-01T00:00"),
        ("cron(0 0 1 1 ? 2028-2030)", "2028-01-01T00:00"),
        ("rate(5 minutes)", "2026-11-01T00:05"),
        ("rate(1 hour)", "2026-11-01T01:00"),
        ("at(2026-12-24T18:00:00)", "2026-12-24T18:00"),
    ],
)
def test_reads_awss_expressions(expression: str, expected: str) -> None:
    assert first(expression, utc(2026, 11, 1)) == [expected]


def test_finds_a_far_year_without_walking_there() -> None:
    assert first("cron(* * * * ? 2199)", utc(2026, 11, 1)) == ["2199-01-01T00:00"]
    assert first("cron(0 0 29 2 ? 2027-2199/4)", utc(2026, 11, 1)) == []
    assert first("cron(0 0 ? 2 1#5 *)", utc(2026, 11, 1), count=3) == [
        "2032-02-29T00:00",
        "2060-02-29T00:00",
        "2088-02-29T00:00",
    ]


def test_ends_with_the_years_that_can_be_told() -> None:
    assert len(list(Timing("cron(0 0 1 1 ? *)").after(utc(2196, 6, 1)))) == 3
    assert len(list(Timing("rate(365 days)").after(utc(2196, 6, 1)))) == 3


class TestBetween:
    def test_tells_which_times_should_have_come(self) -> None:
        times = Timing("cron(0 5 * * ? *)", "Europe/Lisbon").between(utc(2026, 3, 28, 5), utc(2026, 3, 30, 4))

        assert list(times) == [utc(2026, 3, 29, 4), utc(2026, 3, 30, 4)]

    def test_tells_one_that_came_once(self) -> None:
        once = Timing("at(2026-12-24T18:00:00)", "Europe/Lisbon")

        assert list(once.between(utc(2026, 12, 24), utc(2026, 12, 24, 18))) == [utc(2026, 12, 24, 18)]
        assert list(once.between(utc(2026, 12, 24, 18), utc(2027, 1, 1))) == []

    def test_does_not_know_from_when_a_rate_counts(self) -> None:
        with pytest.raises(ScheduleExpressionError, match="only a cron"):
            Timing("rate(5 minutes)").between(utc(2026, 1, 1), utc(2026, 1, 2))


def test_never_fires_a_time_that_is_over() -> None:
    assert first("at(2020-01-01T00:00:00)", utc(2026, 11, 1)) == []
    assert first("cron(0 0 1 1 ? 2020)", utc(2026, 11, 1)) == []


@pytest.mark.parametrize(
    ("expression", "zone"),
    [
        ("0 5 * * *", "UTC"),
        ("cron(0 5 * * *)", "UTC"),
        ("cron(0 5 * * * *)", "UTC"),
        ("cron(0 5 ? * ? *)", "UTC"),
        ("cron(99 5 * * ? *)", "UTC"),
        ("cron(0 5 ? * 8 *)", "UTC"),
        ("cron(0 5 15W * ? *)", "UTC"),
        ("cron(0 5 * * ? later)", "UTC"),
        ("rate(0 minutes)", "UTC"),
        ("rate(5 parsecs)", "UTC"),
        ("at(tomorrow)", "UTC"),
        ("at(2026-01-01T00:00:00+01:00)", "UTC"),
        ("at(2026-01-01)", "UTC"),
        ("at(2026-1-1T00:00:00)", "UTC"),
        ("at(0001-01-01T00:00:00)", "Asia/Tokyo"),
        ("rate(9999999999 days)", "UTC"),
        ("rate(99999999999999999999 days)", "UTC"),
        ("cron(0 5 * * ? 2026/0)", "UTC"),
        ("cron(0 5 * * ? 2030-2026)", "UTC"),
        ("cron(0 5 * * ? 2300)", "UTC"),
        ("cron(0 5 31 2 ? *)", "UTC"),
        ("cron(0/0 5 * * ? *)", "UTC"),
        ("cron(\N{ARABIC-INDIC DIGIT THREE} 5 * * ? *)", "UTC"),
        (f"cron({'9' * 5000} 5 * * ? *)", "UTC"),
        ("rate(5 minutes)", "Mars/Olympus"),
        ("rate(5 minutes)", "America"),
        ("rate(5 minutes)", "a" * 5000),
        ("rate(5 minutes)", ""),
    ],
)
def test_refuses_an_expression_that_aws_would_refuse(expression: str, zone: str) -> None:
    with pytest.raises(ScheduleExpressionError):
        next(Timing(expression, zone).after(utc(2026, 1, 1)))


def test_leaves_keywords_alone_that_it_does_not_know() -> None:
    assert input_at("<aws.scheduler.schedule-arn>", utc(2026, 1, 1)) == "<aws.scheduler.schedule-arn>"
