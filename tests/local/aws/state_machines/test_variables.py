"""Variables are assigned when their state is left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


def test_an_output_reads_the_variables_of_the_states_entry(machines: Machines) -> None:
    states = {
        "Begin": {"Type": "Pass", "Assign": {"x": 1, "y": 10}, "Next": "Next"},
        "Next": {
            "Type": "Pass",
            "Assign": {"x": "{% $x + 1 %}", "y": "{% $x %}"},
            "Output": ["{% $x %}", "{% $y %}"],
            "Next": "End",
        },
        "End": {"Type": "Succeed", "Output": {"before": "{% $states.input %}", "after": ["{% $x %}", "{% $y %}"]}},
    }

    assert machines.output(states) == {"before": [1, 10], "after": [2, 1]}


def test_a_task_that_fails_after_its_assign_leaves_the_variables_alone(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: 5
    catch = [{"ErrorEquals": ["States.ALL"], "Assign": {"caught": True}, "Next": "End"}]
    states = {
        "Begin": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Work"},
        "Work": task(Assign={"x": "{% $states.result.Payload %}", "z": "{% $missing %}"}, Catch=catch),
        "End": {"Type": "Succeed", "Output": ["{% $x %}", "{% $caught %}"]},
    }

    assert machines.output(states) == [1, True]


def test_the_history_has_assigned_variables_as_json(machines: Machines) -> None:
    described = machines.run({"Only": {"Type": "Pass", "Assign": {"text": 'a "b"', "list": [None]}, "End": True}})

    events = machines.history(described["executionArn"])
    exited = next(event["stateExitedEventDetails"] for event in events if event["type"] == "PassStateExited")
    assert {name: json.loads(value) for name, value in exited["assignedVariables"].items()} == {
        "text": 'a "b"',
        "list": [None],
    }
