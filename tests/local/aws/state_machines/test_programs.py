"""A definition is read as JSON, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


def definition(**more: object) -> str:
    states = {"Only": {"Type": "Pass", "End": True}}
    return json.dumps({"StartAt": "Only", "States": states, **more})


def test_executions_of_one_definition_share_a_program(machines: object) -> None:
    text = definition(Comment="shared")

    first, again = AmazonStateLanguageParser.parse(text), AmazonStateLanguageParser.parse(text)

    assert first[0] is again[0]


def test_another_definition_is_another_program(machines: object) -> None:
    first, other = (AmazonStateLanguageParser.parse(definition(Comment=name)) for name in ("one", "two"))

    assert first[0] is not other[0]


def test_a_distributed_map_is_parsed_for_each_execution(machines: object) -> None:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Item",
        "States": {"Item": {"Type": "Pass", "End": True}},
    }
    text = json.dumps({"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": processor, "End": True}}})

    assert AmazonStateLanguageParser.parse(text)[0] is not AmazonStateLanguageParser.parse(text)[0]


def test_a_retrier_has_one_key_for_its_count_however_often_it_is_asked(machines: object) -> None:
    program = AmazonStateLanguageParser.parse(definition(Comment="keys"))[0]

    assert program.heap_key == str(id(program)) == program.heap_key


@pytest.mark.parametrize("text", ['a "b" \\ c', "tab\tline\n", "naïve 🌙", "a/b"], ids=ascii)
@pytest.mark.parametrize("escaped", [True, False])
def test_literals_names_and_expressions_mean_what_their_json_means(
    machines: Machines, text: str, escaped: bool
) -> None:
    in_jsonata = json.dumps(text, ensure_ascii=False)
    states = {
        "Begin": {"Type": "Pass", "Assign": {"literal": text, "nested": {"list": [text]}}, "Next": text},
        text: {"Type": "Succeed", "Output": [text, "{% $literal %}", "{% $nested.list %}", "{% " + in_jsonata + " %}"]},
    }
    whole = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Begin", "States": states}, ensure_ascii=escaped)
    machine = machines.create({"Only": {"Type": "Succeed"}})
    machines.client.update_state_machine(stateMachineArn=machine, definition=whole.replace("a/b", "a\\/b"))

    described = machines.finish(machines.start(machine))

    assert json.loads(described["output"]) == [text, text, [text], text]
    entered = [event for event in machines.history(described["executionArn"]) if "stateEnteredEventDetails" in event]
    assert entered[-1]["stateEnteredEventDetails"]["name"] == text


def test_a_failed_step_is_no_error_of_the_local_stack(machines: Machines, caplog: pytest.LogCaptureFixture) -> None:
    described = machines.run({"Work": task("absent")})

    assert described["status"] == "FAILED"
    assert [record.name for record in caplog.records if record.name.startswith("moto.")] == []
