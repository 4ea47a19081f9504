from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from shared.engine import Continue, NonRetryableError, RetryAfter
from shared.engine.errors import InvalidMessageError, describe_invalid


class Address(BaseModel):
    street: str


class Person(BaseModel):
    age: int
    homes: list[Address]


def described(data: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        Person.model_validate(data)
    return describe_invalid(refused.value)


def test_says_which_field_is_wrong_and_how_on_one_line() -> None:
    said = described({"age": "old", "homes": [{"street": "A"}, {}]})

    assert said == (
        "age: Input should be a valid integer, unable to parse string as an integer; homes.1.street: Field required"
    )


def test_does_not_repeat_values() -> None:
    assert "hunter2" not in described({"age": "hunter2", "homes": "hunter2"})


def test_calls_what_is_no_object_data() -> None:
    assert described(7).startswith("data: Input should be a valid dictionary")


def test_a_bad_message_is_not_tried_again() -> None:
    assert issubclass(InvalidMessageError, NonRetryableError)


def test_going_on_is_no_error_that_a_handler_could_swallow() -> None:
    assert not issubclass(Continue, Exception)
    assert Continue(cursor=[7, "x"]).cursor == [7, "x"]


@pytest.mark.parametrize("seconds", [0.001, 1, 2.5, 31_536_000])
def test_a_wait_is_told_as_json(seconds: float) -> None:
    told = RetryAfter(seconds)

    assert json.loads(str(told)) == {"seconds": seconds}
    assert told.seconds == seconds


@pytest.mark.parametrize("seconds", [0, -1, 31_536_001, float("nan"), float("inf")])
def test_a_wait_that_nobody_can_wait_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="a time to wait is above 0"):
        RetryAfter(seconds)
