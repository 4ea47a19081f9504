"""Every change of an execution's status reaches the bus, as AWS describes it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.state_machines import install
from local.aws.time_scale import TimeScale
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


def test_start_and_success_are_published_with_their_data(machines: Machines) -> None:
    machine = machines.create({"Only": {"Type": "Succeed", "Output": {"done": 'ü"'}}})
    arn = machines.start(machine, {"a": 1}, name="run")

    ended = machines.bus.wait_for(arn, "SUCCEEDED")

    started = machines.bus.details(arn)[0]
    assert {event[:2] for event in machines.bus.events} == {("aws.states", "Step Functions Execution Status Change")}
    assert started["status"] == "RUNNING"
    assert (started["stopDate"], started["output"], started["outputDetails"]) == (None, None, None)
    assert (ended["executionArn"], ended["stateMachineArn"], ended["name"]) == (arn, machine, "run")
    assert json.loads(ended["input"]) == {"a": 1}
    assert json.loads(ended["output"]) == {"done": 'ü"'}
    assert ended["inputDetails"] == ended["outputDetails"] == {"included": True}
    assert ended["stopDate"] >= ended["startDate"] > 1_600_000_000_000
    assert (ended["error"], ended["cause"]) == (None, None)


@pytest.mark.parametrize("end", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_every_other_end_is_published_once(machines: Machines, end: str) -> None:
    released = threading.Event()
    machines.functions.by_name["work"] = lambda _: released.wait(30)
    long = machines.create({"Long": task()}, TimeoutSeconds=1 if end == "TIMED_OUT" else 60)
    fails = machines.create({"Only": {"Type": "Fail", "Error": "Mine", "Cause": "so"}})

    arn = machines.start(fails if end == "FAILED" else long)
    if end == "ABORTED":
        machines.client.stop_execution(executionArn=arn, error="Mine", cause="so")
    detail = machines.bus.wait_for(arn, end)
    released.set()

    assert [each["status"] for each in machines.bus.details(arn)] == ["RUNNING", end]
    assert (detail["output"], detail["outputDetails"]) == (None, None)
    assert (detail["error"], detail["cause"]) == ((None, None) if end == "TIMED_OUT" else ("Mine", "so"))


@pytest.mark.parametrize(
    ("given", "output", "included"),
    [(150_000, 150_000, (False, True)), (10, 255_000, (True, False)), (150_000, 10, (True, True))],
)
def test_large_data_is_left_out(machines: Machines, given: int, output: int, included: tuple[bool, bool]) -> None:
    machines.functions.by_name["work"] = lambda _: "y" * output
    state = task(Output="{% $states.result.Payload %}")
    arn = machines.start(machines.create({"Only": state}), {"text": "x" * given})

    detail = machines.bus.wait_for(arn, "SUCCEEDED")

    assert (detail["inputDetails"]["included"], detail["outputDetails"]["included"]) == included
    assert (detail["input"] is not None, detail["output"] is not None) == included


def test_a_bus_that_fails_does_not_fail_the_execution(machines: Machines) -> None:
    def broken(*_: Any) -> None:
        raise ConnectionError("no bus")

    install(invoke=machines.functions, publish=broken, time_scale=TimeScale())

    assert machines.run({"Only": {"Type": "Pass", "End": True}})["status"] == "SUCCEEDED"


def test_an_execution_can_be_described_as_soon_as_it_is_published(machines: Machines) -> None:
    seen: list[str] = []

    def look(_source: str, _type: str, resources: list[str], detail: dict[str, Any]) -> None:
        described = machines.describe(resources[0])
        seen.append(f"{detail['status']} {described['status']}")
        machines.bus(_source, _type, resources, detail)

    install(invoke=machines.functions, publish=look, time_scale=TimeScale())
    machines.bus.wait_for(machines.start(machines.create({"Only": {"Type": "Pass", "End": True}})), "SUCCEEDED")

    assert seen == ["RUNNING RUNNING", "SUCCEEDED SUCCEEDED"]
