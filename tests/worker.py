"""A task whose handler does what a test says."""

from __future__ import annotations

from typing import Any

from shared.engine import Run, Task
from tests.factories import Context, Greeted, envelope
from tests.stack import Stack

DONE: dict[str, Any] = {"batchItemFailures": []}
KEPT_BACK = {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


class Worker:
    """A task whose handler does what the test says, and remembers its runs."""

    def __init__(self, *outcomes: Any, attempts: int = 3) -> None:
        self.runs: list[Run] = []
        self.events: list[Greeted] = []
        self._outcomes = list(outcomes)
        self.task = Task("demo-greet", trigger=Greeted, attempts=attempts)
        self.task(self._handle)

    def _handle(self, event: Greeted, run: Run) -> Any:
        self.events.append(event)
        self.runs.append(run)
        outcome = self._outcomes.pop(0) if self._outcomes else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def receives(self, stack: Stack, body: str = envelope(), *, receives: int = 1) -> dict[str, Any]:
        return self.task.handler(stack.message(body, receives=receives), Context())
