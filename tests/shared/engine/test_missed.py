"""Schedules that did not fire, over outages, edits and daylight-saving days."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import aws, clock
from shared.engine.envelope import Envelope
from shared.engine.missed import expect_schedules
from shared.engine.reconciler import Reconciler
from shared.settings import settings
from tests.reconciling import NIGHTLY, RECONCILE, Deployed, answering, fired
from tests.stack import START

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
HOURLY = "cron(0 * * * ? *)"


def look(deployed: Deployed, at: datetime | None = None) -> dict[str, int]:
    """Do what platform-reconcile does, at a time or now, and return what was found."""
    if at is not None:
        deployed.stack.clock.advance(at - clock.now())
    expect_schedules(clock.now())
    reconciler = Reconciler(clock.now(), lambda: True)
    assert reconciler.run()
    return {str(finding): number for finding, number in reconciler.found.items()}


def begin(deployed: Deployed) -> None:
    """Look for the first time: what is due after 05:00 counts."""
    assert look(deployed, START + timedelta(minutes=5)) == {}


def times(deployed: Deployed) -> list[str]:
    """When the nightly function was due, by what was sent to it."""
    return sorted(body["detail"]["data"]["scheduled_at"] for body in deployed.sent(NIGHTLY))


def test_before_the_first_look_nothing_was_missed(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)

    assert look(deployed) == {}
    assert times(deployed) == []


def test_what_did_not_fire_is_fired_with_the_time_at_which_it_was_due(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)

    found = look(deployed, START + timedelta(minutes=65))

    assert found == {"schedule": 1}
    [body] = deployed.sent(NIGHTLY)
    assert Envelope.model_validate(body) == Envelope.parse(fired("2026-03-01T06:00:00Z"))


def test_what_fired_is_left_alone(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    event = fired("2026-03-01T06:00:00Z")
    event_id = json.loads(event)["detail"]["metadata"]["id"]
    deployed.put("completed", function=NIGHTLY, event_id=event_id, event=event)

    found = look(deployed, START + timedelta(minutes=65))

    assert found == {}
    assert deployed.open_items() == {}


def test_what_may_fire_yet_is_waited_for(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)

    assert look(deployed, START + timedelta(minutes=64, seconds=59)) == {}
    assert look(deployed, START + timedelta(minutes=65)) == {"schedule": 1}


def test_is_fired_once_and_again_only_while_there_is_no_run(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    looks = [(look(deployed, START + timedelta(minutes=65 + minutes)), times(deployed)) for minutes in (0, 2, 5, 6)]

    nothing: tuple[dict[str, int], list[str]] = ({}, [])
    sent = ({"schedule": 1}, ["2026-03-01T06:00:00Z"])
    assert looks == [sent, nothing, sent, nothing]


def test_a_message_that_still_waits_its_turn_is_no_loss(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    deployed.fill(NIGHTLY)

    assert look(deployed, START + timedelta(minutes=65)) == {}


def test_a_look_that_died_before_it_noted_how_far_it_came_is_harmless(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    deployed.stack.advance(minutes=60)

    class Died(BaseException):
        pass

    def die() -> None:
        raise Died

    before = deployed.calls("PutItem")
    dying = answering("dynamodb", "PutItem", lambda: die() if deployed.calls("PutItem") > before + 1 else None)
    with dying, pytest.raises(Died):
        expect_schedules(clock.now())

    assert look(deployed) == {"schedule": 1}
    assert times(deployed) == ["2026-03-01T06:00:00Z"]


def test_after_an_outage_of_a_week_the_last_three_days_are_made_up_for(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)

    found = look(deployed, START + timedelta(days=7, minutes=5))

    due = times(deployed)
    assert found == {"schedule": 72}
    assert (len(due), due[0], due[-1]) == (72, "2026-03-05T06:00:00Z", "2026-03-08T05:00:00Z")
    assert look(deployed) == {}


def test_of_one_schedule_no_more_than_a_hundred_times_are_made_up_for(deployed: Deployed) -> None:
    deployed.schedule("cron(* * * * ? *)", since=LONG_AGO)
    begin(deployed)

    found = look(deployed, START + timedelta(days=7, minutes=5))

    due = times(deployed)
    assert found == {"schedule": 100}
    assert (due[0], due[-1]) == ("2026-03-08T03:21:00Z", "2026-03-08T05:00:00Z")


@pytest.mark.parametrize(
    ("zone", "expression", "since", "until", "due"),
    [
        # Lisbon goes from 01:00 to 02:00: 01:30 does not exist, 05:00 is an hour earlier in UTC
        ("Europe/Lisbon", "cron(30 1 * * ? *)", (3, 28), (3, 31), ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]),
        ("Europe/Lisbon", "cron(0 5 * * ? *)", (3, 28), (3, 30), ["2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"]),
        # and back from 02:00 to 01:00: 01:30 comes twice, and fires once
        ("Europe/Lisbon", "cron(30 1 * * ? *)", (10, 25), (10, 26), ["2026-10-25T00:30:00Z"]),
        ("America/New_York", "cron(30 2 * * ? *)", (3, 7), (3, 9), ["2026-03-07T07:30:00Z"]),
        ("UTC", "cron(0 5 L * ? *)", (3, 30), (4, 2), ["2026-03-31T05:00:00Z"]),
        ("UTC", "at(2026-03-10T12:00:00)", (3, 9), (3, 12), ["2026-03-10T12:00:00Z"]),
    ],
)
def test_counts_as_the_scheduler_does_over_daylight_saving_days(
    deployed: Deployed, zone: str, expression: str, since: tuple[int, int], until: tuple[int, int], due: list[str]
) -> None:
    deployed.schedule(expression, zone=zone, since=LONG_AGO)
    look(deployed, datetime(2026, since[0], since[1], 0, 5, tzinfo=UTC))

    look(deployed, datetime(2026, until[0], until[1], 0, 5, tzinfo=UTC))

    assert times(deployed) == due


def test_a_disabled_schedule_misses_nothing_also_when_it_is_enabled_again(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO, enabled=False)
    begin(deployed)
    assert look(deployed, START + timedelta(hours=5)) == {}

    deployed.schedule(HOURLY, since=START + timedelta(hours=9, minutes=1))

    assert look(deployed, START + timedelta(hours=10, minutes=5)) == {"schedule": 1}
    assert times(deployed) == ["2026-03-01T15:00:00Z"]


def test_times_before_an_edit_are_not_the_new_expressions(deployed: Deployed) -> None:
    deployed.schedule("cron(0 12 * * ? *)", since=LONG_AGO)
    begin(deployed)
    deployed.schedule("cron(30 * * * ? *)", since=START + timedelta(hours=2))

    look(deployed, START + timedelta(hours=4))

    assert times(deployed) == ["2026-03-01T07:30:00Z", "2026-03-01T08:30:00Z"]


def test_a_schedule_that_is_new_misses_nothing_from_before(deployed: Deployed) -> None:
    begin(deployed)
    deployed.schedule(HOURLY, since=START + timedelta(minutes=61))

    assert look(deployed, START + timedelta(minutes=65)) == {}


@pytest.mark.parametrize("expression", ["rate(1 hour)", "cron(0 5 15W * ? *)"])
def test_a_schedule_whose_times_cannot_be_told_holds_nothing_up(deployed: Deployed, expression: str) -> None:
    deployed.schedule(expression, since=LONG_AGO)
    begin(deployed)

    assert look(deployed, START + timedelta(days=1)) == {}

    deployed.schedule(HOURLY, since=LONG_AGO)
    assert look(deployed, START + timedelta(days=1, hours=1)) == {"schedule": 1}


def test_a_schedule_that_is_not_deployed_yet_misses_nothing(deployed: Deployed) -> None:
    begin(deployed)

    assert look(deployed, START + timedelta(days=1)) == {}


def test_the_reconcilers_own_schedule_is_not_made_up_for(deployed: Deployed) -> None:
    begin(deployed)

    asked: list[str] = []
    aws.client("scheduler").meta.events.register(
        "before-parameter-build.scheduler.GetSchedule", lambda params, **_: asked.append(params["Name"])
    )
    look(deployed, START + timedelta(hours=1))

    assert asked == [NIGHTLY]
    assert deployed.sent(RECONCILE) == []


def test_a_scheduler_that_does_not_answer_is_asked_again(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    client: Any = aws.client("scheduler")
    refused = client.exceptions.ThrottlingException({"Error": {"Code": "ThrottlingException"}}, "GetSchedule")

    def refuse() -> None:
        raise refused

    with answering("scheduler", "GetSchedule", refuse):
        during = look(deployed, START + timedelta(minutes=65))

    assert during == {}
    assert look(deployed, START + timedelta(minutes=70)) == {"schedule": 1}


def test_an_input_that_is_no_event_holds_nothing_up(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    group = settings().stack_name
    schedule: Any = aws.client("scheduler").get_schedule(GroupName=group, Name=NIGHTLY)
    schedule["Target"]["Input"] = "{}"

    with answering("scheduler", "GetSchedule", lambda: schedule):
        found = look(deployed, START + timedelta(minutes=65))

    assert found == {}


def test_two_looks_at_once_fire_it_once(deployed: Deployed) -> None:
    deployed.schedule(HOURLY, since=LONG_AGO)
    begin(deployed)
    deployed.stack.advance(minutes=60)
    founds: list[dict[str, int]] = []

    def look_too() -> None:
        if not founds:
            founds.append({})
            founds[0] = look(deployed)

    with answering("dynamodb", "PutItem", look_too):
        found = look(deployed)

    assert [found, *founds] == [{}, {"schedule": 1}]
