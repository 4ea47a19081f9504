"""Histories of executions as GetExecutionHistory answers them, written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

START = datetime(2026, 3, 1, 5, tzinfo=UTC)
CALL = '{"FunctionName": "f", "Payload": {"step": "greet", "run": "r", "attempt": 0, "input": {"name": "Ada"}}}'
ANSWER = '{"ExecutedVersion": "$LATEST", "Payload": {"said": "hello"}, "StatusCode": 200}'


class WrittenHistory:
    """A history as GetExecutionHistory answers it, an event a second."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def add(self, kind: str, after: int | None = None, **details: Any) -> int:
        """Add an event that follows the last one, or the event `after`; return its id."""
        id_ = len(self.events) + 1
        event = {
            "id": id_,
            "type": kind,
            "previousEventId": id_ - 1 if after is None else after,
            "timestamp": START + timedelta(seconds=id_),
        }
        if details:
            event[f"{kind[0].lower()}{kind[1:]}EventDetails"] = details
        self.events.append(event)
        return id_

    def enter(self, name: str, after: int | None = None, kind: str = "Task") -> int:
        id_ = self.add(f"{kind}StateEntered", after)
        self.events[-1]["stateEnteredEventDetails"] = {"name": name, "input": "{}"}
        return id_

    def leave(self, name: str, after: int | None = None, kind: str = "Task") -> int:
        id_ = self.add(f"{kind}StateExited", after)
        self.events[-1]["stateExitedEventDetails"] = {"name": name, "output": "{}"}
        return id_

    def attempt(self, outcome: str = "TaskSucceeded", **details: Any) -> int:
        self.add("TaskScheduled", parameters=CALL)
        self.add("TaskStarted")
        return self.add(outcome, **(details or {"output": ANSWER}))
