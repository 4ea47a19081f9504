"""Die where a run's plan says: before a call to AWS is sent, after its answer came, or beside an effect.

The plan of a run is the file `plans/<run id>`; without one nothing is done. What a planned run comes by is written to
`calls/<run id>`, a label a line, over all of its calls and workers: that is how the labels are found out, and why no
plan kills twice.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import botocore.handlers

from shared.engine.identity import RunId
from shared.registry import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BY_CHANCE = 2  # deaths of one run: a task has an attempt more


@dataclass
class Watched:
    """A call of a function that is about a run with a plan.

    It dies `before` or `after` the n-th occurrence of a label, or beside any label by `chance`, twice at most.
    """

    calls: Path
    label: str = ""
    occurrence: int = 1
    when: str = ""
    chance: float = 0.0
    seed: str = ""
    seen: tuple[str, int] = ("", 0)

    def reach(self, label: str) -> None:
        """Come to a label, and die there if that is the plan."""
        with self.calls.open("a", encoding="utf-8") as file:
            file.write(label + "\n")
        self.seen = label, self.calls.read_text(encoding="utf-8").splitlines().count(label)
        self._die("before")

    def leave(self, label: str) -> None:
        """Have passed the label that was reached last."""
        if self.seen[0] == label:
            self._die("after")

    def _die(self, when: str) -> None:
        if (self.label, self.occurrence, self.when) == (*self.seen, when) or self._is_struck(when):
            with self._kills.open("a", encoding="utf-8") as file:
                file.write(f"{self.calls.name}: {when} {self.seen[0]}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_struck(self, when: str) -> bool:
        if Random(f"{self.seed} {self.seen} {when}").random() >= self.chance:
            return False
        deaths = self._kills.read_text(encoding="utf-8").count(f"{self.calls.name}: ") if self._kills.exists() else 0
        return deaths < MOST_BY_CHANCE

    @property
    def _kills(self) -> Path:
        return self.calls.parent.parent / "kills"


_watched: Watched | None = None


def watched(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return the Lambda handler that kills its process as planned for the runs of the call's event."""

    def call(event: Any, context: Any) -> Any:
        global _watched  # noqa: PLW0603 (one call at a time is what a worker has)
        _watched = _find(event)
        try:
            return handler(event, context)
        finally:
            _watched = None

    return call


def mark(label: str, *, is_done: bool = False) -> None:
    """Say that a place is reached (or, `is_done`, passed) that is no call to AWS."""
    if _watched is not None:
        (_watched.leave if is_done else _watched.reach)(f"the {label}")


def _find(event: Any) -> Watched | None:
    """Return the first plan that there is for what the call is about."""
    root = Path(os.environ["LAMBDA_TASK_ROOT"])
    for run in _runs(event):
        plan = root / "plans" / run
        if plan.exists():
            return Watched(root / "calls" / run, **json.loads(plan.read_text(encoding="utf-8")))
    return None


def _runs(event: Any) -> Iterator[str]:
    """Yield the ids of the runs that a call is about: that of a step, or those of an inbox's messages."""
    if "step" in event:
        yield event["run"]
    for record in event.get("Records", ()):
        try:
            body = json.loads(record["body"])
        except ValueError:  # a message that is none: its plan has its own name
            yield str(record["body"])
            continue
        if "nightshift" in body:
            yield body["run"]
        elif body["source"] == "aws.states":
            yield body["detail"]["name"]
        else:
            metadata = body["detail"].get("metadata", {})
            for function in registry():
                yield str(RunId.of(function, metadata.get("id", ""), metadata.get("generation", 0)))


def _label(operation: str, params: dict[str, Any]) -> str:
    """Return what tells a call to AWS from a run's other calls: the operation, on what, and what it writes."""
    target = str(params.get("TableName") or params.get("QueueUrl", "")).rpartition("_")[2]
    return " ".join(part for part in (operation, target, _what(params)) if part)


def _what(params: dict[str, Any]) -> str:
    if str(params.get("MessageBody")).startswith('{"nightshift"'):
        return str(json.loads(params["MessageBody"])["nightshift"])
    if "Item" in params:
        return str(params["Item"].get("pk", {"S": ""})["S"].partition("#")[0])
    values = params.get("ExpressionAttributeValues", {})
    for name in ("status", "failure", "continuation", "failure_attempts", "error", "lease"):
        if f":{name}" in values:
            [value] = values[f":{name}"].values()
            return name if name in {"error", "lease"} else f"{name}={value}"
    return ""


def _before(model: Any, params: dict[str, Any], **_: Any) -> None:
    if _watched is not None:
        _watched.reach(_label(model.name, params))


def _after(**_: Any) -> None:
    if _watched is not None:
        _watched.leave(_watched.seen[0])


# Every botocore session that is made from now on has them.
botocore.handlers.BUILTIN_HANDLERS += [("before-parameter-build", _before), ("after-call", _after)]
