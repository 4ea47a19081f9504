"""Retries, time-outs and catches of a state, and leaving them when the execution ends."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.invocation import Invocation
from local.aws.state_machines import install
from local.aws.time_scale import TimeScale
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

# A history's times are whole milliseconds.
CLOCK_STEP = 0.002

ALWAYS = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3}


def failing(error_type: str = "ValueError") -> Invocation:
    document = {"errorMessage": "as told", "errorType": error_type}
    return Invocation(payload=json.dumps(document).encode(), function_error="Unhandled")


def test_an_error_named_without_attempts_is_not_retried(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: failing("NonRetryableError")
    retry = [{"ErrorEquals": ["NonRetryableError"], "MaxAttempts": 0}, ALWAYS]

    described = machines.run({"Work": task(Retry=retry)})

    assert described["error"] == "NonRetryableError"
    assert len(machines.functions.calls) == 1


def test_attempts_are_counted_for_each_execution_of_a_shared_program(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: failing()
    machine = machines.create({"Work": task(Retry=[ALWAYS])})

    arns = [machines.start(machine) for _ in range(6)]
    ends = [machines.finish(arn) for arn in arns]

    assert {end["status"] for end in ends} == {"FAILED"}
    assert [machines.history_types(arn).count("TaskFailed") for arn in arns] == [4] * 6


def intervals(machines: Machines, arn: str) -> list[float]:
    events = machines.history(arn)
    failed = [event["timestamp"] for event in events if event["type"] == "TaskFailed"]
    scheduled = [event["timestamp"] for event in events if event["type"] == "TaskScheduled"]
    return [(after - before).total_seconds() for before, after in zip(failed, scheduled[1:], strict=False)]


def test_intervals_grow_to_their_bound_on_the_local_scale(machines: Machines) -> None:
    install(invoke=machines.functions, publish=machines.bus, time_scale=TimeScale(0.0001))
    machines.functions.by_name["work"] = lambda _: failing()
    retry = [{**ALWAYS, "IntervalSeconds": 1000, "BackoffRate": 3, "MaxAttempts": 2}]
    bounded = [{**ALWAYS, "IntervalSeconds": 1000, "BackoffRate": 1000, "MaxDelaySeconds": 2000, "MaxAttempts": 3}]

    growing = intervals(machines, machines.run({"Work": task(Retry=retry)})["executionArn"])
    up_to_bound = intervals(machines, machines.run({"Work": task(Retry=bounded)})["executionArn"])

    # Unscaled, or without the bound, the executions would not end in the time that `run` gives them.
    for waited, nominal in zip(growing + up_to_bound, [1000, 3000, 1000, 2000, 2000], strict=True):
        assert waited >= nominal * 0.0001 - CLOCK_STEP


def test_full_jitter_waits_at_most_the_interval(machines: Machines) -> None:
    install(invoke=machines.functions, publish=machines.bus, time_scale=TimeScale(0.01))
    machines.functions.by_name["work"] = lambda _: failing()
    retry = [{**ALWAYS, "IntervalSeconds": 10, "BackoffRate": 1, "MaxAttempts": 20, "JitterStrategy": "FULL"}]

    waited = intervals(machines, machines.run({"Work": task(Retry=retry)})["executionArn"])

    assert len(waited) == 20
    assert min(waited) < 10 * 0.01 - CLOCK_STEP


def test_a_task_over_its_time_is_a_catchable_time_out(machines: Machines) -> None:
    released = threading.Event()
    machines.functions.by_name["work"] = lambda _: released.wait(30)
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]

    described = machines.run(
        {"Work": task(TimeoutSeconds=1, Catch=catch), "Late": {"Type": "Succeed", "Output": "late"}}
    )
    released.set()

    assert (described["status"], described["output"]) == ("SUCCEEDED", '"late"')
    types = machines.history_types(described["executionArn"])
    assert types.count("TaskTimedOut") == 1


def test_an_attempt_that_was_given_up_writes_no_history(machines: Machines) -> None:
    released, returned = threading.Event(), threading.Event()

    def work(_: Any) -> Any:
        released.wait(30)
        returned.set()
        return "too late"

    machines.functions.by_name["work"] = work
    described = machines.run({"Work": task(TimeoutSeconds=1)})
    before = machines.history_types(described["executionArn"])
    released.set()
    assert returned.wait(10)
    drain(machines)

    assert described["error"] == "States.Timeout"
    assert machines.history_types(described["executionArn"]) == before


def drain(machines: Machines) -> None:
    """Wait until no attempt's thread is left."""
    deadline = time.monotonic() + 10
    while any(thread.name == "state-attempt" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


STATES_THAT_TAKE_LONG: dict[str, dict[str, Any]] = {
    "a call": {"Long": task()},
    "a retry": {"Long": task("fails", Retry=[{**ALWAYS, "IntervalSeconds": 60_000}])},
    "a wait": {"Long": {"Type": "Wait", "Seconds": 60, "End": True}},
    "a branch": {
        "Long": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}],
            "End": True,
        }
    },
}


@pytest.mark.parametrize("states", STATES_THAT_TAKE_LONG.values(), ids=STATES_THAT_TAKE_LONG.keys())
def test_a_stop_ends_the_execution_at_once(machines: Machines, states: dict[str, Any]) -> None:
    released = threading.Event()
    machines.functions.by_name |= {"work": lambda _: released.wait(30), "fails": lambda _: failing()}
    arn = machines.start(machines.create(states))
    wait_for_event(machines, arn, "TaskFailed" if "Retry" in states["Long"] else "StateEntered")

    answer = machines.client.stop_execution(executionArn=arn, error="Stopped", cause='by "hand"')
    described = machines.describe(arn)
    released.set()

    assert described["status"] == "ABORTED"
    assert (described["error"], described["cause"]) == ("Stopped", 'by "hand"')
    assert described["stopDate"] == answer["stopDate"]
    last = machines.history(arn)[-1]
    assert last["type"] == "ExecutionAborted"
    assert last["executionAbortedEventDetails"] == {"error": "Stopped", "cause": 'by "hand"'}


def wait_for_event(machines: Machines, arn: str, end_of_type: str) -> None:
    deadline = time.monotonic() + 10
    while not any(name.endswith(end_of_type) for name in machines.history_types(arn)):
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)
