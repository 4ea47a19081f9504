"""A redriven execution goes on, as the same execution, where it ended."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.aws.invocation import Invocation
from shared.engine.history import failing_step
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

AWAY = Invocation(b'{"errorType": "ConnectionError", "errorMessage": "away"}', "Unhandled")
STATES: dict[str, Any] = {
    "Begin": {"Type": "Pass", "Assign": {"kept": "{% $states.input.name %}"}, "Output": {"second": 2}, "Next": "First"},
    "First": task("first", Assign={"said": "{% $states.result.Payload %}"}, Output={"third": 3}, Next="Second"),
    "Second": task(
        "second",
        payload={"kept": "{% $kept %}", "said": "{% $said %}", "input": "{% $states.input %}"},
        Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}],
        Output={"done": "{% $states.result.Payload %}", "redrives": "{% $states.context.Execution.RedriveCount %}"},
    ),
}


class Flaky:
    """Fails so many times, then answers what it is given."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self, event: Any) -> Any:
        self.left -= 1
        return AWAY if self.left >= 0 else event


def redrive(machines: Machines, arn: str) -> dict[str, Any]:
    assert machines.client.redrive_execution(executionArn=arn)["redriveDate"]
    return machines.finish(arn)


def test_a_failed_execution_goes_on_from_the_state_that_failed(machines: Machines) -> None:
    machines.functions.by_name |= {"first": lambda _: "hello", "second": Flaky(3)}
    failed = machines.run(STATES, {"name": "Ada"})
    before = machines.history(failed["executionArn"])
    assert (failed["status"], failed["redriveCount"], failed["redriveStatus"]) == ("FAILED", 0, "REDRIVABLE")

    described = redrive(machines, failed["executionArn"])

    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    assert described["redriveDate"] >= failed["stopDate"]
    assert "error" not in described
    assert json.loads(described["output"]) == {
        "done": {"kept": "Ada", "said": "hello", "input": {"third": 3}},
        "redrives": 1,
    }
    assert [name for name, _ in machines.functions.calls] == ["first", *["second"] * 4]
    history = machines.history(failed["executionArn"])
    assert history[: len(before)] == before
    assert (history[len(before)]["type"], history[len(before)]["previousEventId"]) == ("ExecutionRedriven", len(before))
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))


def test_an_execution_is_redriven_again_and_again(machines: Machines) -> None:
    machines.functions.by_name |= {"first": lambda _: "hello", "second": Flaky(4)}
    arn = machines.run(STATES, {"name": "Ada"})["executionArn"]

    statuses = [(redrive(machines, arn)["status"], failing_step(machines.client, arn)) for _ in range(2)]

    (failed, step), (succeeded, nothing) = statuses
    assert (failed, succeeded, nothing) == ("FAILED", "SUCCEEDED", None)
    assert step is not None
    assert (step.state, step.attempts, step.error) == ("Second", 2, "ConnectionError")


def test_the_bus_is_told_of_a_redrive(machines: Machines) -> None:
    machines.functions.by_name |= {"first": lambda _: "hello", "second": Flaky(2)}
    arn = machines.run(STATES, {"name": "Ada"})["executionArn"]

    redrive(machines, arn)
    machines.bus.wait_for(arn, "SUCCEEDED")

    told = [(each["status"], each["redriveCount"], each["redriveDate"] is None) for each in machines.bus.details(arn)]
    assert told == [("RUNNING", 0, True), ("FAILED", 0, True), ("RUNNING", 1, False), ("SUCCEEDED", 1, False)]


def test_a_stopped_and_a_timed_out_execution_go_on_too(machines: Machines) -> None:
    hanging, released = threading.Event(), threading.Event()

    def work(_: Any) -> str:
        hanging.set()
        released.wait(30)
        return "done"

    machines.functions.by_name["work"] = work
    stopped = machines.start(machines.create({"Only": task(Output="{% $states.result.Payload %}")}))
    assert hanging.wait(10)
    machines.client.stop_execution(executionArn=stopped, error="Stopped")
    timed_out = machines.run({"Only": task(Output="{% $states.result.Payload %}")}, TimeoutSeconds=1)["executionArn"]
    released.set()

    for arn in (stopped, timed_out):
        described = redrive(machines, arn)

        assert (described["status"], described["output"], "error" in described) == ("SUCCEEDED", '"done"', False)


def test_what_a_given_up_branch_still_does_is_not_in_the_redriven_history(machines: Machines) -> None:
    late, released = threading.Event(), threading.Event()

    def work(event: Any) -> Any:
        if event["branch"] == "late" and not late.is_set():
            late.set()
            released.wait(30)
        elif event["branch"] == "early" and not released.is_set():
            assert late.wait(10)
            return AWAY
        return "done"

    machines.functions.by_name["work"] = work
    branches = [
        {"StartAt": name, "States": {name: task(payload={"branch": name.lower()})}} for name in ("Late", "Early")
    ]
    arn = machines.run({"Both": {"Type": "Parallel", "Branches": branches, "End": True}})["executionArn"]

    released.set()
    described = redrive(machines, arn)

    assert described["status"] == "SUCCEEDED"
    history = machines.history(arn)
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    redriven = [event["type"] for event in history[machines.history_types(arn).index("ExecutionRedriven") :]]
    assert (redriven.count("TaskSucceeded"), redriven.count("TaskFailed")) == (2, 0)


def test_what_runs_or_has_succeeded_is_not_redriven(machines: Machines) -> None:
    succeeded = machines.run({"Only": {"Type": "Pass", "End": True}})["executionArn"]
    running = machines.start(machines.create({"Only": {"Type": "Wait", "Seconds": 60, "End": True}}))

    for arn in (succeeded, running):
        with pytest.raises(ClientError) as refused:
            machines.client.redrive_execution(executionArn=arn)
        assert refused.value.response["Error"]["Code"] == "ExecutionNotRedrivable"
    machines.client.stop_execution(executionArn=running)


def test_an_execution_that_there_is_not_is_not_redriven(machines: Machines) -> None:
    arn = machines.run({"Only": {"Type": "Fail"}})["executionArn"]

    with pytest.raises(ClientError) as refused:
        machines.client.redrive_execution(executionArn=f"{arn}-never")

    assert refused.value.response["Error"]["Code"] == "ExecutionDoesNotExist"
