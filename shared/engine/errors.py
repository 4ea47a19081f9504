"""The errors that the engine raises and understands."""

from __future__ import annotations

import json
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


class RetryAfter(Exception):  # noqa: N818 (an instruction, with the name that state machines match)
    """Try this again in `seconds`, as the one who was asked said; it costs no attempt.

    A task's run waits; a workflow's step must be declared `retry_after=True`, and its state machine catches the error,
    whose message is the JSON `{"seconds": n}`, and waits.

    Raises:
        ValueError: `seconds` is not above 0 and at most a year.
    """

    LIMIT = 31_536_000  # seconds; also the longest Wait of a state machine's execution

    def __init__(self, seconds: float) -> None:
        if not 0 < seconds <= self.LIMIT:  # NaN too
            raise ValueError(f"a time to wait is above 0 and at most {self.LIMIT} s, not {seconds}")
        super().__init__(json.dumps({"seconds": seconds}))
        self.seconds = seconds


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
