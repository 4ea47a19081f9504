"""A task whose handler does what a test says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.engine import Failure, Run, Task
from shared.engine.control import Control, Kind
from tests.factories import Context, Greeted, envelope
from tests.stack import Stack

DONE: dict[str, Any] = {"batchItemFailures": []}
KEPT_BACK = {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


class Worker:
    """A task whose handler does what the test says, and remembers its runs.

    Args:
        outcomes: what the handler answers or raises, one a call; None after that.
        when_told: the same for its `on_failure`, which it has if this is given.
    """

    def __init__(
        self, *outcomes: Any, attempts: int = 3, when_told: Sequence[Any] | None = None, **policies: Any
    ) -> None:
        self.runs: list[Run] = []
        self.events: list[Greeted] = []
        self.told: list[Failure] = []
        self._outcomes = list(outcomes)
        self._when_told = list(when_told or ())
        self.task = Task("demo-greet", trigger=Greeted, attempts=attempts, **policies)
        self.task(self._handle)
        if when_told is not None:
            self.task.on_failure(self._be_told)

    def _handle(self, event: Greeted, run: Run) -> Any:
        self.events.append(event)
        self.runs.append(run)
        return answered(self._outcomes)

    def _be_told(self, event: Greeted, failure: Failure) -> None:
        assert isinstance(event, Greeted)
        self.told.append(failure)
        answered(self._when_told)

    def works_off(self, stack: Stack) -> None:
        """Receive what stands in the inbox, and what that puts there, until there is nothing."""
        stack.work_off(self.task.handler)

    def receives(self, stack: Stack, body: str = envelope(), *, receives: int = 1) -> dict[str, Any]:
        return self.task.handler(stack.message(body, receives=receives), Context())


def answered(outcomes: list[Any]) -> Any:
    """Return or raise the next of `outcomes`; call it where it can be called."""
    outcome = outcomes.pop(0) if outcomes else None
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome() if callable(outcome) else outcome


def control_of(stack: Stack, kind: Kind, *, event_id: str = "event-1", reason: str = "") -> str:
    """The body of a control message about the run of an event."""
    return Control(kind=kind, run=str(stack.row("demo-greet", event_id).id), reason=reason).as_json()
