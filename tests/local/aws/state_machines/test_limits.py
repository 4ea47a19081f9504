"""256 KiB is the limit of every state's data, and nothing catches its excess."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.invocation import Invocation
from local.aws.state_machines.limits import DATA_LIMIT_BYTES, is_within_data_limit
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

CATCH_ALL = [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]
RETRY_ALL = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
CAUGHT = {"Type": "Succeed", "Output": "caught"}
TWICE = "$states.input.text & $states.input.text"


def text(size: int) -> str:
    return "x" * size


def test_json_of_exactly_the_limit_is_within_it() -> None:
    assert is_within_data_limit(text(DATA_LIMIT_BYTES - 2))
    assert not is_within_data_limit(text(DATA_LIMIT_BYTES - 1))
    assert is_within_data_limit("ü" * (DATA_LIMIT_BYTES // 2 - 1))
    assert is_within_data_limit([0] * (DATA_LIMIT_BYTES // 2 - 1))


def test_a_large_result_cannot_be_caught_or_retried(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: text(DATA_LIMIT_BYTES)

    described = machines.run({"Work": task(Catch=CATCH_ALL, Retry=RETRY_ALL), "Caught": CAUGHT})

    assert (described["status"], described["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert len(machines.functions.calls) == 1


@pytest.mark.parametrize(
    "states",
    [
        {"Only": {"Type": "Pass", "Output": "{% " + TWICE + " %}", "End": True}},
        {"Only": {"Type": "Pass", "Assign": {"a": "{% " + TWICE + " %}"}, "Output": {}, "End": True}},
        {"Only": task(payload={"a": "{% " + TWICE + " %}"}, Catch=CATCH_ALL, Retry=RETRY_ALL), "Caught": CAUGHT},
        {"Only": task(Assign={"a": "{% " + TWICE + " %}"}, Catch=CATCH_ALL, Output={}), "Caught": CAUGHT},
        {"Only": task(Output="{% " + TWICE + " %}", Catch=CATCH_ALL), "Caught": CAUGHT},
    ],
    ids=["output", "variables", "arguments", "task variables", "task output"],
)
def test_what_a_state_makes_too_large_ends_the_execution(machines: Machines, states: dict[str, Any]) -> None:
    machines.functions.by_name["work"] = lambda _: None

    described = machines.run(states, {"text": text(200_000)})

    assert (described["status"], described["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_an_output_of_exactly_the_limit_is_kept(machines: Machines) -> None:
    half = text((DATA_LIMIT_BYTES - 2) // 2)

    described = machines.run({"Only": {"Type": "Succeed", "Output": "{% " + TWICE + " %}"}}, {"text": half})

    assert described["status"] == "SUCCEEDED"
    assert len(described["output"]) == DATA_LIMIT_BYTES


def test_data_is_measured_in_bytes_of_utf_8_and_without_spaces(machines: Machines) -> None:
    umlauts = "{% $join($map([1..100], function($i) { $states.input.word })) %}"
    numbers = "{% $map([1..100], function($i) { $range(1, 1000, 1) }) %}"

    words = machines.run({"Only": {"Type": "Succeed", "Output": {"words": umlauts}}}, {"word": "ü" * 1000})
    wide = machines.run({"Only": {"Type": "Succeed", "Output": numbers.replace("100]", "60]")}})
    wider = machines.run({"Only": {"Type": "Succeed", "Output": numbers}})

    assert (words["status"], wide["status"], wider["error"]) == (
        "SUCCEEDED",
        "SUCCEEDED",
        "States.DataLimitExceeded",
    )


def test_a_runtime_error_cannot_be_caught(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: Invocation(payload=b"no JSON")

    described = machines.run({"Work": task(Catch=CATCH_ALL, Retry=RETRY_ALL), "Caught": CAUGHT})

    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")


def test_an_input_over_the_limit_is_not_accepted(machines: Machines) -> None:
    machine = machines.create({"Only": {"Type": "Pass", "End": True}})
    start = machines.client.start_execution
    largest = json.dumps(text(DATA_LIMIT_BYTES - 2))

    with pytest.raises(machines.client.exceptions.ValidationException, match="at 'input'"):
        start(stateMachineArn=machine, input=json.dumps(text(DATA_LIMIT_BYTES - 1)))
    with pytest.raises(machines.client.exceptions.ValidationException, match="at 'input'"):
        start(stateMachineArn=machine, input='"' + "ü" * (DATA_LIMIT_BYTES // 2) + '"')

    assert machines.finish(start(stateMachineArn=machine, input=largest)["executionArn"])["status"] == "SUCCEEDED"
