"""The functions that Step Functions adds to JSONata."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines


def test_uuid_is_a_new_random_one_each_time(machines: Machines) -> None:
    first, second = machines.value("[$uuid(), $uuid()]")

    assert uuid.UUID(first).version == 4
    assert first != second


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "SHA-256", "SHA-384", "SHA-512"])
def test_hash_digests_the_text_in_utf_8(machines: Machines, algorithm: str) -> None:
    expected = hashlib.new(algorithm.replace("-", "").lower(), 'naïve "x"'.encode()).hexdigest()

    digest = machines.value(f"$hash($states.input.text, '{algorithm}')", {"text": 'naïve "x"'})

    assert digest == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('$parse(\'{"a": [1, null, "x"]}\')', {"a": [1, None, "x"]}),
        ("$parse('null') = null", True),
        ("$parse($parse($states.input.cause).errorMessage).seconds", 7),
        ("$range(0, 10, 2)", [0, 2, 4, 6, 8, 10]),
        ("$range(3, 1, -1)", [3, 2, 1]),
        ("$range(5, 1, 1)", []),
        ("$partition([1..5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1, 2], 9)", [[1, 2]]),
        ("$partition([], 2)", []),
        ("$random(42) = $random(42)", True),
        ("$random() < 1 and $random() >= 0", True),
    ],
)
def test_functions_answer_as_documented(machines: Machines, expression: str, expected: Any) -> None:
    cause = '{"errorType": "RetryAfter", "errorMessage": "{\\"seconds\\": 7}"}'

    value = machines.value(expression, {"cause": cause})

    assert value == expected


@pytest.mark.parametrize(
    "expression",
    [
        "$hash('x', 'CRC32')",
        "$hash(1, 'MD5')",
        "$parse('{')",
        "$range(1, 5000, 1)",
        "$range(1, 2, 0)",
        "$partition([1], 0)",
    ],
)
def test_functions_refuse_what_they_cannot_do(machines: Machines, expression: str) -> None:
    described = machines.run({"Only": {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}})

    assert described["error"] == "States.QueryEvaluationError"
