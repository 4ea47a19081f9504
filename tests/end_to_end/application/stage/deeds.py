"""Do what an attempt was asked to do, and write down what happened."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.engine import NonRetryableError

if TYPE_CHECKING:
    from shared.engine import Failure

    from .events import Deed


class StageFrightError(Exception):
    """It may go better the next time."""


class ForgottenLinesError(NonRetryableError):
    """It will never go better."""


def write(diary: str, **entry: Any) -> None:
    """Append one line; what was written stays when the process dies right after it."""
    with Path(diary).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry | {"pid": os.getpid()}) + "\n")


def write_failure(diary: str, failure: Failure) -> None:
    """Append what `on_failure` was told."""
    write(
        diary,
        what="told",
        event_id=failure.run.event_id,
        status=failure.status,
        type=failure.type,
        message=failure.message,
        step=failure.step,
        attempt=failure.attempt,
    )


def do(deeds: tuple[Deed, ...], attempt: int) -> None:
    """Do what the `attempt`-th attempt (from 1) is to do; `finish` means nothing out of the ordinary."""
    deed = deeds[min(attempt, len(deeds)) - 1]
    if deed == "fail":
        raise StageFrightError(f"attempt {attempt} fails as asked")
    if deed == "refuse":
        raise ForgottenLinesError("there is no text")
    if deed == "die":
        os._exit(3)
    if deed == "hang":
        wait_for("/nowhere")


def wait_for(gate: str) -> None:
    """Return once the file is there."""
    while not Path(gate).exists():
        time.sleep(0.02)
