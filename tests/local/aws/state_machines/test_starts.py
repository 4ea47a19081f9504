"""Names, inputs and idempotency of StartExecution."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from moto.core.config import default_user_config

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

WAITING = {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}
PASSING = {"Only": {"Type": "Pass", "End": True}}


@pytest.fixture
def waiting(machines: Machines) -> Any:
    machine = machines.create(WAITING)
    yield machine
    for execution in machines.client.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]:
        machines.client.stop_execution(executionArn=execution["executionArn"])


def test_the_server_executes_state_machines(machines: Machines) -> None:
    described = machines.run(PASSING, {"a": 1})

    assert default_user_config["stepfunctions"] == {"execute_state_machine": True}
    assert (described["status"], json.loads(described["output"])) == ("SUCCEEDED", {"a": 1})


def test_a_start_without_a_name_gets_a_uuid(machines: Machines) -> None:
    arn = machines.start(machines.create(PASSING))

    assert uuid.UUID(machines.describe(arn)["name"])
    assert arn.endswith(":" + machines.describe(arn)["name"])


@pytest.mark.parametrize("name", ["a/b", "a b", "a:b", "a*", "a#", "a\u0001", "a&b", 'a"b', "a,b", "a\x80b"], ids=ascii)
def test_names_with_other_characters_are_invalid(machines: Machines, name: str) -> None:
    machine = machines.create(PASSING)

    with pytest.raises(machines.client.exceptions.InvalidName):
        machines.start(machine, name=name)


def test_names_have_eighty_characters_at_most(machines: Machines) -> None:
    machine = machines.create(PASSING)

    with pytest.raises(machines.client.exceptions.ValidationException, match="less than or equal to 80"):
        machines.start(machine, name="a" * 81)

    assert machines.finish(machines.start(machine, name="a" * 80))["status"] == "SUCCEEDED"


def test_input_that_is_no_json_is_not_accepted(machines: Machines) -> None:
    machine = machines.create(PASSING)

    with pytest.raises(machines.client.exceptions.InvalidExecutionInput):
        machines.client.start_execution(stateMachineArn=machine, input="{")


def test_the_same_start_again_answers_the_running_execution(machines: Machines, waiting: str) -> None:
    given = json.dumps({"a": 1})
    start = machines.client.start_execution

    first = start(stateMachineArn=waiting, name="run", input=given)
    again = start(stateMachineArn=waiting, name="run", input=given)

    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start(stateMachineArn=waiting, name="run", input="{}")
    machines.client.stop_execution(executionArn=first["executionArn"])
    with pytest.raises(machines.client.exceptions.ExecutionAlreadyExists):
        start(stateMachineArn=waiting, name="run", input=given)


def test_another_machine_may_use_the_name(machines: Machines) -> None:
    arns = [machines.start(machines.create(PASSING), name="run") for _ in range(2)]

    assert arns[0] != arns[1]


def test_many_callers_of_one_name_start_one_execution(machines: Machines, waiting: str) -> None:
    with ThreadPoolExecutor(16) as callers:
        arns = set(callers.map(lambda _: machines.start(waiting, name="once"), range(48)))

    listed = machines.client.list_executions(stateMachineArn=waiting)["executions"]
    assert len(arns) == 1
    assert [execution["executionArn"] for execution in listed] == list(arns)
    assert [detail["status"] for detail in machines.bus.details(arns.pop())] == ["RUNNING"]


def test_starts_lists_and_descriptions_do_not_disturb_each_other(machines: Machines) -> None:
    machine = machines.create(PASSING)

    def start_and_look(number: int) -> str:
        arn = machines.start(machine, {"n": number}, name=f"run-{number}")
        machines.client.list_executions(stateMachineArn=machine)
        machines.history(arn)
        described = machines.finish(arn)
        assert json.loads(described["output"]) == {"n": number}
        return arn

    with ThreadPoolExecutor(12) as callers:
        arns = list(callers.map(start_and_look, range(60)))

    pages = machines.client.get_paginator("list_executions").paginate(stateMachineArn=machine)
    listed = [execution for page in pages for execution in page["executions"]]
    assert sorted(execution["executionArn"] for execution in listed) == sorted(arns)
    assert {execution["status"] for execution in listed} == {"SUCCEEDED"}


def test_an_execution_keeps_the_definition_that_it_started_with(machines: Machines) -> None:
    machine = machines.create(
        {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "End"}, "End": {"Type": "Succeed", "Output": "old"}}
    )
    new = {"QueryLanguage": "JSONata", "StartAt": "End", "States": {"End": {"Type": "Succeed", "Output": "new"}}}

    arn = machines.start(machine)
    machines.client.update_state_machine(stateMachineArn=machine, definition=json.dumps(new))
    later = machines.start(machine)

    assert machines.finish(arn)["output"] == '"old"'
    assert machines.finish(later)["output"] == '"new"'


def test_an_unknown_execution_does_not_exist(machines: Machines) -> None:
    known = machines.start(machines.create(PASSING))

    for arn in (known + "x", known.replace("machine-", "other-")):
        with pytest.raises(machines.client.exceptions.ExecutionDoesNotExist):
            machines.describe(arn)
