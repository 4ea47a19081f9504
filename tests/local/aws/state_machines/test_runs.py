"""The end of an execution: one, whole, and with its event."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.aws.state_machines import install
from local.aws.state_machines.runs import EndSignal
from local.aws.time_scale import TimeScale
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


@pytest.mark.parametrize(
    "long",
    [
        task(),
        {"Type": "Wait", "Seconds": 60, "End": True},
        task("absent", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 6000}]),
    ],
    ids=["call", "wait", "retry"],
)
def test_a_machine_over_its_time_is_timed_out_with_its_event(machines: Machines, long: dict[str, Any]) -> None:
    released = threading.Event()
    machines.functions.by_name["work"] = lambda _: released.wait(30)

    described = machines.run({"Long": long}, TimeoutSeconds=1)
    types = machines.history_types(described["executionArn"])
    released.set()

    assert described["status"] == "TIMED_OUT"
    assert described["stopDate"] >= described["startDate"]
    assert types[-1] == "ExecutionTimedOut"


def test_a_machines_time_out_cannot_be_caught(machines: Machines) -> None:
    released = threading.Event()
    machines.functions.by_name["work"] = lambda _: released.wait(30)
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]

    described = machines.run({"Long": task(Catch=catch), "Caught": {"Type": "Succeed"}}, TimeoutSeconds=1)
    released.set()

    assert described["status"] == "TIMED_OUT"


def test_a_stop_right_after_the_start_is_kept(machines: Machines) -> None:
    machine = machines.create({"Wait": {"Type": "Wait", "Seconds": 60, "End": True}})

    for _ in range(20):
        arn = machines.start(machine)
        machines.client.stop_execution(executionArn=arn)
        described = machines.describe(arn)

        assert described["status"] == "ABORTED"
        assert machines.history_types(arn)[-1] == "ExecutionAborted"


def test_a_history_can_be_read_right_after_the_start(machines: Machines) -> None:
    machine = machines.create({"Wait": {"Type": "Wait", "Seconds": 1, "End": True}})

    first = [machines.history(machines.start(machine, {"n": n}))[0] for n in range(5)]

    assert [event["type"] for event in first] == ["ExecutionStarted"] * 5
    assert first[3]["executionStartedEventDetails"]["input"] == '{"n": 3}'


def test_a_stop_of_what_has_ended_changes_nothing(machines: Machines) -> None:
    ended = machines.run({"Only": {"Type": "Pass", "End": True}})

    answer = machines.client.stop_execution(executionArn=ended["executionArn"], error="Late")

    assert answer["stopDate"] == ended["stopDate"]
    assert machines.describe(ended["executionArn"])["status"] == "SUCCEEDED"


@pytest.mark.parametrize("value", ["text", None, 0, [], {"a": "ü"}], ids=repr)
def test_an_output_is_shown_as_json(machines: Machines, value: Any) -> None:
    described = machines.run({"Only": {"Type": "Succeed", "Output": value}})

    assert json.loads(described["output"]) == value


def test_a_fail_state_gives_error_and_cause(machines: Machines) -> None:
    described = machines.run({"Give up": {"Type": "Fail", "Error": "Mine", "Cause": "{% 'for ' & $string(1) %}"}})

    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Mine", "for 1")


def environment_of(arn: str) -> Any:
    """Return moto's own state of an execution, without a call that takes time."""
    backend = stepfunctions_parser_backends["123456789012"]["us-east-1"]
    return backend.describe_execution(arn).exec_worker.env


@pytest.mark.parametrize("later", ["set_error", "set_timed_out"])
def test_an_end_is_not_overwritten(machines: Machines, later: str) -> None:
    arn = machines.run({"Only": {"Type": "Pass", "End": True}})["executionArn"]
    environment = environment_of(arn)

    getattr(environment, later)(*([{"error": "Late"}] if later == "set_error" else []))

    assert type(environment.program_state()).__name__ == "ProgramEnded"


def test_the_time_out_is_in_the_history_when_it_is_published(machines: Machines) -> None:
    last: list[str] = []

    def look(_source: str, _type: str, resources: list[str], detail: dict[str, Any]) -> None:
        if detail["status"] == "TIMED_OUT":
            last.append(environment_of(resources[0]).event_manager.get_event_history()[-1]["type"])

    install(invoke=machines.functions, publish=look, time_scale=TimeScale())
    machine = machines.create({"Long": {"Type": "Wait", "Seconds": 60, "End": True}}, TimeoutSeconds=1)

    ends = [machines.finish(arn)["status"] for arn in [machines.start(machine) for _ in range(8)]]

    assert ends == ["TIMED_OUT"] * 8
    assert last == ["ExecutionTimedOut"] * 8


def test_whoever_waits_for_an_end_that_was_does_not_wait() -> None:
    signal, follower, late = EndSignal(), threading.Event(), threading.Event()
    signal.follow(follower)

    signal.set()
    signal.clear()
    signal.follow(late)

    assert signal.wait(0)
    assert (follower.is_set(), late.is_set()) == (True, True)


def test_a_fault_after_a_stop_does_not_make_it_a_failure(machines: Machines) -> None:
    entered, released = threading.Event(), threading.Event()

    def work(_: Any) -> Any:
        entered.set()
        released.wait(30)
        raise RuntimeError("after the stop")

    machines.functions.by_name["work"] = work
    branches = [{"StartAt": "W", "States": {"W": task()}}]
    arn = machines.start(machines.create({"P": {"Type": "Parallel", "Branches": branches, "End": True}}))
    assert entered.wait(10)

    machines.client.stop_execution(executionArn=arn)
    released.set()

    assert machines.finish(arn)["status"] == "ABORTED"
    assert machines.history_types(arn)[-1] == "ExecutionAborted"
