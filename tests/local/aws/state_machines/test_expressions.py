"""JSONata in states: which values survive, what may be written, and how an expression fails."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonata import Jsonata

from local.aws.state_machines.expressions import evaluate
from local.aws.state_machines.json_values import ExpressionError

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


@pytest.mark.parametrize(
    "value",
    [
        'a "quoted" word, a \\ and a {% %}',
        "naïve, 日本語, 🌙",
        "line\nbreak\ttab",
        "$states.input & 'x'",
        None,
        True,
        0,
        -7,
        2**70 + 1,
        1.5,
        [],
        [None, 1, [2, []]],
        {},
        {"a": {"b": None, 'c"d': [{"e": 1}]}},
    ],
    ids=repr,
)
def test_values_come_through_variables_and_input_unchanged(machines: Machines, value: Any) -> None:
    states = {
        "Begin": {"Type": "Pass", "Assign": {"kept": "{% $states.input.value %}"}, "Next": "End"},
        "End": {
            "Type": "Succeed",
            "Output": {"kept": "{% $kept %}", "given": "{% $states.context.Execution.Input.value %}"},
        },
    }

    output = machines.output(states, {"value": value})

    assert output == {"kept": value, "given": value}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("6 / 2", "3"),
        ("$n + 1", "3"),
        ("$ceil(2.1)", "3"),
        ("7 / 2", "3.5"),
        ("[1..3]", "[1, 2, 3]"),
        ("$x[$ > 2]", "[3, 4]"),
        ("$x[$ > 3]", "4"),
        ("$map($x, function($v) { $v * 2 })", "[2, 6, 4, 8]"),
        ("$n / 2 + $n / 4", "1.5"),
        ("$missing ? 'yes' : 'no'", '"no"'),
        ("$nothing = null", "true"),
        ("{'a': $nothing, 'b': $missing}", '{"a": null}'),
        ("$count($keys($states.context))", "3"),
    ],
)
def test_expressions_answer_plain_json(machines: Machines, expression: str, expected: str) -> None:
    variables = {"x": [1, 3, 2, 4], "n": 2, "nothing": None}

    value = machines.value(expression, assign=variables)

    assert json.dumps(value) == expected


def test_a_variable_is_not_changed_by_an_expression_that_reads_it(machines: Machines) -> None:
    states = {
        "Begin": {"Type": "Pass", "Assign": {"kept": {"a": None, "b": [None, 2]}}, "Next": "Change"},
        "Change": {
            "Type": "Pass",
            "Assign": {"changed": "{% $kept ~> | $ | {'a': 9} | %}", "longer": "{% $append($kept.b, 3) %}"},
            "Next": "End",
        },
        "End": {"Type": "Succeed", "Output": ["{% $kept %}", "{% $changed.a %}", "{% $longer %}"]},
    }

    output = machines.output(states)

    assert output == [{"a": None, "b": [None, 2]}, 9, [None, 2, 3]]


def test_millis_is_the_time_of_the_evaluation_and_not_of_the_parsing(machines: Machines) -> None:
    machine = machines.create(
        {
            "First": {"Type": "Pass", "Assign": {"first": "{% $millis() %}"}, "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Second"},
            "Second": {"Type": "Succeed", "Output": "{% $millis() - $first %}"},
        }
    )

    waited = [int(machines.finish(machines.start(machine))["output"]) for _ in range(2)]

    assert all(between >= 1000 for between in waited)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("$states.input.missing", "returned nothing (undefined)"),
        ("$unknown", "returned nothing (undefined)"),
        ("$", "returned nothing (undefined)"),
        ("'a' + 1", "T2001"),
        ("$error('as told')", "as told"),
        ("1 / 0", "threw an error"),
        ("$sum", "unsupported result type"),
        ("$eval('1')", "not available"),
        ("(((", "threw an error"),
    ],
)
def test_a_failing_expression_is_a_query_evaluation_error(machines: Machines, expression: str, reason: str) -> None:
    described = machines.run({"Only": {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}})

    assert described["status"] == "FAILED"
    assert described["error"] == "States.QueryEvaluationError"
    assert "An error occurred while executing the state 'Only' (entered at the event id #2)" in described["cause"]
    assert reason in described["cause"]
    history = machines.history(described["executionArn"])
    assert [event["type"] for event in history][-2:] == ["EvaluationFailed", "ExecutionFailed"]


def test_an_expression_is_evaluated_by_many_threads_at_once() -> None:
    source = "$reduce($map($numbers, function($v) { $v * $factor }), function($a, $b) { $a + $b })"
    wrong: list[Any] = []

    def work(factor: int) -> None:
        for _ in range(50):
            total = evaluate(source, lambda _: {"numbers": list(range(1, 11)), "factor": factor})
            if total != 55 * factor:
                wrong.append((factor, total))

    threads = [threading.Thread(target=work, args=(factor,), daemon=True) for factor in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert wrong == []


names = st.sampled_from(["a", "b"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=8,
)


@settings(deadline=None)
@given(path=st.lists(names, max_size=3), value=values)
def test_a_plain_path_leads_where_jsonata_finds_it(path: list[str], value: Any) -> None:
    source = ".".join(["$v", *path])

    assert outcome(source, value) == outcome(f"({source})", value)


def outcome(source: str, value: Any) -> Any:
    """What an expression returns of `$v`, or that it returns nothing."""
    try:
        return repr(evaluate(source, lambda _: {"v": value}))
    except ExpressionError as error:
        return str(error)


def test_a_plain_path_is_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Jsonata, "evaluate", lambda *_: pytest.fail("it was"))

    assert evaluate("$v.a.`b c`", lambda _: {"v": {"a": {"b c": {"d": [1.0, None]}}}}) == {"d": [1, None]}
