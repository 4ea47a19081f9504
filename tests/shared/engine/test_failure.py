from __future__ import annotations

from shared.engine.errors import NonRetryableError
from shared.engine.failure import describe


def test_describes_an_error_by_its_class_and_its_message() -> None:
    assert describe(KeyError("name")) == {"type": "KeyError", "message": "'name'"}


def test_describes_an_error_whose_message_is_not_unicode() -> None:
    assert describe(NonRetryableError("broken \ud800")) == {"type": "NonRetryableError", "message": "broken ?"}


def test_keeps_the_beginning_of_a_long_message() -> None:
    assert describe(ValueError("x" * 5_000))["message"] == "x" * 4_000
