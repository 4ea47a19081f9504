"""Does something to a worker at a call of AWS that the test names: before the request is sent, or after it was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.effects import DiedError
from tests.stack import Stack

When = Literal["before", "after"]


@dataclass
class Moment:
    """Whether the worker came as far."""

    happened: bool = False


@contextmanager
def at_call(stack: Stack, number: int, when: When, do: Callable[[str], None]) -> Iterator[Moment]:
    """Call `do` with the operation at the worker's `number`-th call inside the block, from 1; once."""
    moment, calls, untouched = Moment(), 0, stack.interrupt

    def interrupt(now: When, operation: str) -> None:
        nonlocal calls
        calls += now == "before"
        if now == when and calls == number:
            moment.happened, stack.interrupt = True, untouched
            do(operation)

    stack.interrupt = interrupt
    try:
        yield moment
    finally:
        stack.interrupt = untouched


@contextmanager
def dying_at(stack: Stack, number: int, when: When) -> Iterator[Moment]:
    """End the worker at its `number`-th call inside the block, from 1."""

    def die(operation: str) -> None:
        raise DiedError(f"{when} {operation}")

    with at_call(stack, number, when, die) as moment:
        yield moment
