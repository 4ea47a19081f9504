from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.schedules import ScheduleRunner
from local.template.deployment import Schedule
from shared import clock
from shared.clock import StoppedClock


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


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
        sent: list[tuple[Schedule, str]] = []
        stopped = StoppedClock(utc(2026, 7, 10, 3, 0))
        with clock.using(stopped):
            runner = ScheduleRunner([self.SCHEDULE], lambda schedule, body: sent.append((schedule, body)))
            stopped.advance(timedelta(hours=1, seconds=20))
            due = runner.fire_due()
            runner.fire_due()

        [(schedule, body)] = sent
        assert schedule == self.SCHEDULE
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
