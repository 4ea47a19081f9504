"""Effects that leave a mark, and the runs that do them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shared import aws
from shared.engine import Run
from shared.engine.effects import OncePolicy, effect_key, once
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from tests.factories import envelope

LIMIT = timedelta(seconds=20)
EVENT = Envelope.parse(envelope())


def run_of(generation: int = 0, **overrides: Any) -> Run:
    values: dict[str, Any] = {
        "id": RunId.of("demo-mail", "event-1", generation),
        "function": "demo-mail",
        "envelope": EVENT,
        "step": "send_mail",
    }
    return Run(**(values | overrides))


class DiedError(BaseException):
    """Stands for the end of the worker's process: no code catches it."""


class Effect:
    """Answers or raises what the test says, one outcome a call and the last one for ever; counts what it did."""

    def __init__(self, *outcomes: Any) -> None:
        self.done = 0
        self._outcomes = list(outcomes) or ["sent"]

    def __call__(self) -> Any:
        self.done += 1
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome() if callable(outcome) else outcome

    def once(self, policy: OncePolicy, item: str = "ada", run: Run | None = None) -> Any:
        return once(run or run_of(), item, self, policy=policy, limit=LIMIT)


def item_of(item: str = "ada", run: Run | None = None) -> dict[str, Any] | None:
    """The record as it stands in the table."""
    key: Any = {"id": {"S": effect_key(run or run_of(), item)}}
    answer = aws.client("dynamodb").get_item(TableName="test_idempotency", Key=key, ConsistentRead=True)
    return dict(answer["Item"]) if "Item" in answer else None


def on_request(point: str, do: Callable[[], None]) -> None:
    """Call `do` when the client is about to send a request (`before PutItem`) or has its answer (`after PutItem`)."""
    when, _, operation = point.partition(" ")
    event = {"before": "before-send", "after": "after-call"}[when]
    aws.client("dynamodb").meta.events.register(f"{event}.dynamodb.{operation}", lambda **_: do())


def status_of(item: str = "ada") -> str | None:
    found = item_of(item)
    return None if found is None else found["status"]["S"]
