"""The errors that the engine raises and understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError


class NonRetryableError(Exception):
    """What went wrong will go wrong again: the run ends as failed without another attempt.

    Raise it (or a subclass) from a task or a step. State machines match errors by their exact type name, so the
    engine answers a subclass as `NonRetryableError` with the subclass's name in the message.
    """


class InvalidMessageError(NonRetryableError):
    """An inbox message is not an envelope, or its data is not what the function's event says."""


class Continue(BaseException):
    """Raised by a task to end this call and go on in another, from `cursor`, without costing an attempt.

    It is a `BaseException` so that a handler's own `except Exception` does not swallow it.

    Args:
        cursor: any JSON value; the next call finds it as `run.cursor`. Keep it small: it is stored with the run.
    """

    def __init__(self, cursor: Any) -> None:
        super().__init__(cursor)
        self.cursor = cursor


def describe_invalid(error: ValidationError) -> str:
    """Return what is wrong with which field on one line, without the values (they may be personal or secret)."""
    return "; ".join(f"{'.'.join(map(str, each['loc'])) or 'data'}: {each['msg']}" for each in error.errors())
