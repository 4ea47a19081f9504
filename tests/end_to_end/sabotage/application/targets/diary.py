"""What the targets did, a line each in a file that outlives them.

A line says that an effect was done, a second one, `kept`, that this is on record: between the two a worker may die, and
then nobody can know whether the effect was done.
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.engine import NonRetryableError, RetryAfter

from .kill_points import mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine import Run

    from .events import Deed


class SabotageError(Exception):
    """It may go better the next time."""


class HopelessError(NonRetryableError):
    """It will never go better."""


_written: list[dict[str, Any]] = []  # in this call, and not yet kept


def place(name: str) -> Path:
    """Return where the file or folder `name` of this application is."""
    return Path(os.environ["LAMBDA_TASK_ROOT"]) / name


def write(run: Run, what: str) -> dict[str, Any]:
    """Do the effect `what`: it stays when the process dies right after it."""
    mark(what)
    entry = {"event_id": run.event_id, "function": run.function, "what": what, "attempt": run.attempt}
    _append(entry)
    mark(what, is_done=True)
    _written.append(entry)
    return entry


def keep() -> None:
    """Say that the effects done so far are on record."""
    while _written:
        _append(_written.pop() | {"kept": True})


def keeping(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the Lambda handler at whose good end every effect of the call is on record."""

    def call(event: Any, context: Any) -> Any:
        _written.clear()
        answer = handler(event, context)
        keep()
        return answer

    return call


def _append(entry: dict[str, Any]) -> None:
    with place("diary").open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def writing(run: Run, what: str) -> partial[dict[str, Any]]:
    """Return the effect that writes `what`."""
    return partial(write, run, what)


def do(deeds: tuple[Deed, ...], run: Run) -> None:
    """Do what this attempt is to do before its effect; `finish` means nothing out of the ordinary."""
    deed = deeds[min(run.attempt, len(deeds)) - 1]
    if deed == "fail":
        raise SabotageError(f"attempt {run.attempt} fails as asked")
    if deed == "refuse":
        raise HopelessError("this cannot be done")
    if deed == "later" and not (asked := place("asked") / str(run.id)).exists():
        asked.touch()
        raise RetryAfter(2)
