"""What the API shows of executions."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

LOOP = {
    "Begin": {"Type": "Pass", "Assign": {"n": 0}, "Next": "Again"},
    "Again": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $n < 60 %}", "Assign": {"n": "{% $n + 1 %}"}, "Next": "Again"}],
        "Default": "End",
    },
    "End": {"Type": "Succeed", "Output": "{% $n %}"},
}


def test_a_timed_out_execution_has_its_end_in_list_and_description(machines: Machines) -> None:
    released = threading.Event()
    machines.functions.by_name["work"] = lambda _: released.wait(30)
    described = machines.run({"Long": task()}, TimeoutSeconds=1)
    released.set()

    listed = machines.client.list_executions(stateMachineArn=described["stateMachineArn"], statusFilter="TIMED_OUT")[
        "executions"
    ]

    assert listed[0]["stopDate"] == described["stopDate"]
    assert listed[0]["status"] == "TIMED_OUT"


def test_a_long_history_comes_in_pages_from_either_side(machines: Machines) -> None:
    described = machines.run(LOOP)
    arn = described["executionArn"]
    read = machines.client.get_execution_history

    first = read(executionArn=arn)
    last = read(executionArn=arn, reverseOrder=True, maxResults=1)["events"]
    everything = machines.history(arn)

    assert described["output"] == "60"
    assert (len(first["events"]), "nextToken" in first) == (100, True)
    assert [event["type"] for event in last] == ["ExecutionSucceeded"]
    assert [event["id"] for event in everything] == list(range(1, last[0]["id"] + 1))


def test_a_failure_has_no_output(machines: Machines) -> None:
    described = machines.run({"Only": {"Type": "Fail", "Error": "Mine"}})

    assert "output" not in described
    assert described["error"] == "Mine"
