"""Ends a worker at a call of AWS that the test names: before the request is sent, or after it was done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.effects import DiedError
from tests.stack import Stack


@dataclass
class Death:
    """The end of a worker, as far as it has come."""

    happened: bool = False


@contextmanager
def dying_at(stack: Stack, number: int, when: Literal["before", "after"]) -> Iterator[Death]:
    """End the worker at its `number`-th call inside the block, from 1."""
    death, calls, untouched = Death(), 0, stack.interrupt

    def interrupt(moment: str, operation: str) -> None:
        nonlocal calls
        calls += moment == "before"
        if moment == when and calls == number:
            death.happened = True
            raise DiedError(f"{when} {operation}")

    stack.interrupt = interrupt
    try:
        yield death
    finally:
        stack.interrupt = untouched
