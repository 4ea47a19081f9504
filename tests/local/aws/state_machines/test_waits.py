"""Wait states wake at their moment, and never before it."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.state_machines.waits import moment_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.aws.state_machines.machines import Machines

BERLIN = dt.timezone(dt.timedelta(hours=2))


@pytest.fixture
def in_lisbon_summer() -> Iterator[None]:
    """A machine that is not on UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "WEST-1"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def left_at(machines: Machines, described: dict[str, Any]) -> dt.datetime:
    events = machines.history(described["executionArn"])
    moment: dt.datetime = next(event["timestamp"] for event in events if event["type"] == "WaitStateExited")
    return moment


@pytest.mark.parametrize("ahead", [0.4, 1.7])
@pytest.mark.parametrize("zone", [dt.UTC, BERLIN], ids=["utc", "offset"])
def test_a_timestamp_is_not_early(machines: Machines, in_lisbon_summer: None, ahead: float, zone: dt.timezone) -> None:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)
    text = until.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    wait = {"Type": "Wait", "Timestamp": "{% $states.input.until %}", "End": True}

    described = machines.run({"Wait": wait}, {"until": text})

    assert described["status"] == "SUCCEEDED"
    assert moment_of(text) is not None
    assert left_at(machines, described) >= moment_of(text)  # type: ignore[operator] # it is one


def test_a_timestamp_in_the_past_does_not_wait(machines: Machines, in_lisbon_summer: None) -> None:
    until = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=600)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wait = {"Type": "Wait", "Timestamp": until, "End": True}
    arn = machines.start(machines.create({"Wait": wait}))

    described = machines.finish(arn, seconds=20)

    assert described["status"] == "SUCCEEDED"


def test_seconds_by_expression_wait_as_long(machines: Machines) -> None:
    wait = {"Type": "Wait", "Seconds": "{% $states.input.wait %}", "End": True}

    described = machines.run({"Wait": wait}, {"wait": 1})

    waited = left_at(machines, described) - described["startDate"]
    assert waited >= dt.timedelta(seconds=1)


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "soon"])
def test_what_is_no_timestamp_fails_the_execution(machines: Machines, text: str) -> None:
    wait = {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": True}
    arn = machines.client.start_execution(stateMachineArn=machines.create({"Wait": wait}), input=json.dumps(text))

    described = machines.finish(arn["executionArn"])

    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_nanoseconds_are_rounded_up() -> None:
    moment = moment_of("2026-01-01T00:00:00.000000001Z")

    assert moment == dt.datetime(2026, 1, 1, microsecond=1, tzinfo=dt.UTC)
