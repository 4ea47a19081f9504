"""What `$states` holds, and expressions for seconds."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


def test_the_context_names_execution_machine_and_state(machines: Machines) -> None:
    machine = machines.create({"Only": {"Type": "Succeed", "Output": "{% $states.context %}"}})
    arn = machines.start(machine, {"a": 1}, name="run-1")

    values = json.loads(machines.finish(arn)["output"])

    assert values["Execution"]["Name"] == "run-1"
    assert values["Execution"]["Id"] == arn
    assert values["Execution"]["Input"] == {"a": 1}
    assert values["Execution"]["RedriveCount"] == 0
    assert values["StateMachine"] == {"Id": machine, "Name": machine.rsplit(":", 1)[-1]}
    assert values["State"]["Name"] == "Only"
    for moment in (values["Execution"]["StartTime"], values["State"]["EnteredTime"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", moment)


def test_a_task_sees_its_result_and_its_retry_count(machines: Machines) -> None:
    attempts: list[int] = []

    def work(event: Any) -> Any:
        attempts.append(event["attempt"])
        if event["attempt"] < 2:
            raise TimeoutError("not yet")
        return {"n": event["attempt"]}

    machines.functions.by_name["work"] = work
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3, "IntervalSeconds": 1}]

    output = machines.output(
        {
            "Work": task(
                payload={"attempt": "{% $states.context.State.RetryCount %}"},
                Retry=retry,
                Output="{% $states.result.Payload.n %}",
            )
        }
    )

    assert (attempts, output) == ([0, 1, 2], 2)


def test_a_catch_sees_the_error_and_assigns_from_it(machines: Machines) -> None:
    catch = [
        {
            "ErrorEquals": ["Lambda.ResourceNotFoundException"],
            "Assign": {"error": "{% $states.errorOutput.Error %}"},
            "Output": "{% $states.input %}",
            "Next": "Caught",
        }
    ]

    output = machines.output(
        {
            "Work": task("absent", Catch=catch),
            "Caught": {"Type": "Succeed", "Output": ["{% $error %}", "{% $exists($states.errorOutput) %}"]},
        }
    )

    assert output == ["Lambda.ResourceNotFoundException", False]


@pytest.mark.parametrize("seconds", ["1.9", "-1", "'1'", "null"])
def test_seconds_by_expression_are_whole_or_an_error(machines: Machines, seconds: str) -> None:
    wait = {"Type": "Wait", "Seconds": "{% " + seconds + " %}", "End": True}

    described = machines.run({"Wait": wait})

    assert described["error"] == "States.QueryEvaluationError"


def test_a_time_out_by_expression_of_no_second_is_an_error(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: None

    described = machines.run({"Work": task(TimeoutSeconds="{% 0.9 %}")})

    assert described["error"] == "States.QueryEvaluationError"
