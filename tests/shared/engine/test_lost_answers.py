"""A write reaches the ledger, its answer does not reach us, and the client asks again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared import aws
from shared.engine import Continue, NonRetryableError
from shared.engine.effects import EffectUnknownError, OncePolicy
from tests.effects import DiedError, Effect, status_of
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK, Worker


def lose_answer(operation: str, number: int = 1) -> None:
    """Make the client send the `number`-th request of `operation` twice, as it does after a broken connection."""
    seen = 0

    def retry(**_: Any) -> float | None:
        nonlocal seen
        seen += 1
        return 0.0 if seen == number else None

    aws.client("dynamodb").meta.events.register_first(f"needs-retry.dynamodb.{operation}", retry)


def test_a_claim_is_still_ours(stack: Stack) -> None:
    lose_answer("PutItem")
    worker = Worker("done")

    assert worker.receives(stack) == DONE
    assert len(worker.runs) == 1
    assert stack.row("demo-greet").status == "completed"


def test_a_second_attempt_is_still_ours(stack: Stack) -> None:
    worker = Worker(ValueError("once"), "done")
    worker.receives(stack)
    lose_answer("UpdateItem")

    assert worker.receives(stack, receives=2) == DONE
    assert [run.attempt for run in worker.runs] == [1, 2]
    assert stack.row("demo-greet").status == "completed"


def test_a_failure_is_told(stack: Stack) -> None:
    lose_answer("UpdateItem")

    worker = Worker(NonRetryableError("no"))
    assert worker.receives(stack) == DONE
    worker.works_off(stack)
    assert stack.row("demo-greet").failure == "handled"
    assert len(stack.dead_letters()) == 1


def test_the_next_call_of_a_run_that_goes_on_is_sent(stack: Stack) -> None:
    lose_answer("UpdateItem")
    worker = Worker(Continue(5), "done")

    worker.receives(stack)
    [following] = stack.inbox()

    assert worker.receives(stack, json.dumps(following)) == DONE
    assert [run.cursor for run in worker.runs] == [None, 5]


@pytest.mark.parametrize("outcome", ["done", ValueError("once")])
def test_an_end_and_a_retry_change_nothing_when_they_are_written_twice(stack: Stack, outcome: object) -> None:
    lose_answer("UpdateItem")

    answer = Worker(outcome).receives(stack)

    assert answer == (DONE if outcome == "done" else KEPT_BACK)
    row = stack.row("demo-greet")
    assert (row.status, row.lease) == (("completed", 0) if outcome == "done" else ("running", 0))


class TestOfAnEffectsRecord:
    @pytest.mark.parametrize("policy", ["repeat", "stop"])
    @pytest.mark.parametrize("operation", ["PutItem", "UpdateItem"])
    def test_a_claim_and_an_end_are_still_ours(self, stack: Stack, policy: OncePolicy, operation: str) -> None:
        lose_answer(operation)
        effect = Effect("sent")

        assert (effect.once(policy), effect.once(policy), effect.done) == ("sent", "sent", 1)

    def test_a_removal_is_still_ours(self, stack: Stack) -> None:
        lose_answer("DeleteItem")
        effect = Effect(ValueError("no"), "sent")

        with pytest.raises(ValueError, match="no"):
            effect.once("stop")

        assert effect.once("stop") == "sent"

    def test_what_is_unknown_stays_so(self, stack: Stack) -> None:
        with pytest.raises(DiedError):
            Effect(DiedError()).once("stop")
        stack.advance(seconds=21)
        lose_answer("UpdateItem")

        with pytest.raises(EffectUnknownError):
            Effect().once("stop")

        assert status_of() == "UNKNOWN"
