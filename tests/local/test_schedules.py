from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.schedules import ScheduleExpressionError, ScheduleRunner, Timing, input_at
from local.template.deployment import Schedule
from shared import clock
from shared.clock import StoppedClock

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
        ("rate(5 minutes)", "Mars/Olympus"),
    ],
)
def test_refuses_an_expression_that_aws_would_refuse(expression: str, zone: str) -> None:
    with pytest.raises(ScheduleExpressionError):
        next(Timing(expression, zone).after(utc(2026, 1, 1)))


@settings(max_examples=60)
@given(st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)), st.integers(0, 59), st.integers(0, 23))  # noqa: DTZ001
def test_fires_at_its_local_time_on_every_day_that_has_it(start: datetime, minute: int, hour: int) -> None:
    fires = list(islice(Timing(f"cron({minute} {hour} * * ? *)", "Europe/Lisbon").after(start.replace(tzinfo=UTC)), 5))

    local = [each.astimezone(LISBON) for each in fires]
    assert all((each.hour, each.minute) == (hour, minute) for each in local)
    gaps = [later.date() - earlier.date() for earlier, later in pairwise(local)]
    assert all(timedelta(days=1) <= gap <= timedelta(days=2) for gap in gaps)


class TestScheduleRunner:
    SCHEDULE = Schedule(
        name="nightly",
        group="g",
        expression="cron(0 5 * * ? *)",
        time_zone="Europe/Lisbon",
        target_arn="arn:inbox",
        input='{"time": "<aws.scheduler.scheduled-time>", "id": "nightly/<aws.scheduler.scheduled-time>"}',
    )

    def test_sends_the_scheduled_time_and_not_the_time_of_sending(self) -> None:
        sent: list[tuple[str, str]] = []
        stopped = StoppedClock(utc(2026, 7, 10, 3, 0))
        with clock.using(stopped):
            runner = ScheduleRunner([self.SCHEDULE], lambda arn, body: sent.append((arn, body)))
            stopped.advance(timedelta(hours=1, seconds=20))
            due = runner.fire_due()
            runner.fire_due()

        [(arn, body)] = sent
        assert arn == "arn:inbox"
        assert json.loads(body) == {"time": "2026-07-10T04:00:00Z", "id": "nightly/2026-07-10T04:00:00Z"}
        assert due == utc(2026, 7, 11, 4)

    def test_catches_up_after_a_sleep(self) -> None:
        sent: list[str] = []
        stopped = StoppedClock(utc(2026, 7, 10, 3, 0))
        with clock.using(stopped):
            runner = ScheduleRunner([self.SCHEDULE], lambda _, body: sent.append(json.loads(body)["time"]))
            stopped.advance(timedelta(days=2, hours=2))
            runner.fire_due()

        assert sent == ["2026-07-10T04:00:00Z", "2026-07-11T04:00:00Z", "2026-07-12T04:00:00Z"]

    def test_leaves_a_disabled_schedule_alone(self) -> None:
        disabled = Schedule("off", "g", "rate(1 minute)", "UTC", "arn:inbox", "{}", state="DISABLED")
        stopped = StoppedClock(utc(2026, 7, 10))
        with clock.using(stopped):
            runner = ScheduleRunner([disabled], lambda *_: pytest.fail("sent"))
            stopped.advance(timedelta(hours=1))

            assert runner.fire_due() is None

    def test_starts_and_stops(self) -> None:
        runner = ScheduleRunner([self.SCHEDULE], lambda *_: None)
        runner.start()
        runner.stop()


def test_leaves_keywords_alone_that_it_does_not_know() -> None:
    assert input_at("<aws.scheduler.schedule-arn>", utc(2026, 1, 1)) == "<aws.scheduler.schedule-arn>"
