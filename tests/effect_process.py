"""One attempt at an effect in a process of its own, which dies where it is told: `python -m tests.effect_process JSON`.

Prints `{"result": …}` or `{"error": <type>}`; a line in the file `log` for each time that the effect was done.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Literal

from pydantic import BaseModel

from shared import clock
from shared.clock import StoppedClock
from shared.engine.effects import OncePolicy, once
from tests.effects import LIMIT, on_request, run_of

DEATH = 70  # the exit status of a process that died as it was told


class Attempt(BaseModel):
    """What the process is to do; `die` is `before PutItem`, `before effect` and so on."""

    policy: OncePolicy
    item: str
    now: datetime
    log: Path
    die: str = ""
    outcome: Literal["sent", "fails"] = "sent"
    wait_for: Path | None = None


def die() -> None:
    os._exit(DEATH)


def do_effect(attempt: Attempt) -> str:
    if attempt.die == "before effect":
        die()
    if attempt.outcome == "fails":
        raise ValueError("not sent")
    with attempt.log.open("a") as log:
        log.write(f"{attempt.item}\n")
    if attempt.die == "after effect":
        die()
    while attempt.wait_for is not None and not attempt.wait_for.exists():
        Event().wait(0.01)
    return f"sent by {attempt.policy}"


def main() -> None:
    attempt = Attempt.model_validate_json(sys.argv[1])
    if attempt.die and not attempt.die.endswith("effect"):
        on_request(attempt.die, die)
    with clock.using(StoppedClock(attempt.now)):
        try:
            result = once(run_of(), attempt.item, lambda: do_effect(attempt), policy=attempt.policy, limit=LIMIT)
        except Exception as error:
            answer = {"error": type(error).__name__}
        else:
            answer = {"result": result}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")


if __name__ == "__main__":
    main()
