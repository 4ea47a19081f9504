from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from pydantic import BaseModel

from shared import aws, clock
from shared.engine import Continue, NonRetryableError, Run
from shared.engine.ledger import ledger
from shared.engine.payloads import LIMIT, incoming
from shared.engine.row import key_of
from tests.factories import Context, Greeted, envelope
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK, Worker


class Result(BaseModel):
    deleted: int


def test_calls_the_handler_with_the_typed_event_and_records_its_result(stack: Stack) -> None:
    worker = Worker(Result(deleted=7))

    answer = worker.receives(stack)

    assert answer == DONE
    assert worker.events == [Greeted(name="Ada")]
    row = stack.row("demo-greet")
    assert (row.status, row.output, row.attempts, row.error) == ("completed", {"deleted": 7}, 1, None)
    assert row.event_id == "event-1"
    assert row.started_at
    assert row.ended_at


def test_tells_the_handler_of_its_run(stack: Stack) -> None:
    worker = Worker()

    worker.receives(stack)

    [run] = worker.runs
    assert (run.function, run.attempt, run.cursor, run.event_id) == ("demo-greet", 1, None, "event-1")
    assert run.event_time.isoformat() == "2026-03-01T04:00:00+00:00"
    assert run.remaining().total_seconds() == 60


def test_needs_two_ledger_writes_for_a_run(stack: Stack) -> None:
    Worker().receives(stack)

    writes = [name for name, _ in stack.calls if name in {"PutItem", "UpdateItem", "GetItem", "Query"}]
    assert writes == ["PutItem", "UpdateItem"]


def test_drops_a_duplicate_of_a_run_that_ended(stack: Stack) -> None:
    worker = Worker()

    answers = [worker.receives(stack) for _ in range(3)]

    assert answers == [DONE, DONE, DONE]
    assert len(worker.runs) == 1


def test_keeps_a_duplicate_back_while_the_first_still_works(stack: Stack) -> None:
    worker = Worker()
    twin = Worker()

    def deliver_again(event: Greeted, run: Run) -> None:
        assert twin.receives(stack) == KEPT_BACK

    worker.task(deliver_again)
    answer = worker.receives(stack)

    assert answer == DONE
    assert twin.runs == []
    assert stack.row("demo-greet").status == "completed"


def test_does_not_run_when_another_took_the_run_at_the_same_moment(stack: Stack) -> None:
    first = Worker(ValueError("once"))
    first.receives(stack)
    row = stack.row("demo-greet")

    taken = [ledger().take(row, holder=name, lease=clock.now()) for name in ("one", "two")]

    assert taken == [True, False]


def test_runs_again_for_the_next_generation(stack: Stack) -> None:
    worker = Worker()

    worker.receives(stack)
    worker.receives(stack, envelope(metadata={"generation": 1}))

    assert [str(run.id)[36:] for run in worker.runs] == ["", "-1"]
    assert stack.row("demo-greet", generation=1).status == "completed"


class TestGoingOn:
    def test_goes_on_from_the_cursor_in_another_message(self, stack: Stack) -> None:
        worker = Worker(Continue({"deleted": 5}), "done")

        first = worker.receives(stack)
        [following] = stack.inbox()
        second = worker.receives(stack, json.dumps(following))

        assert (first, second) == (DONE, DONE)
        assert [run.cursor for run in worker.runs] == [None, {"deleted": 5}]
        row = stack.row("demo-greet")
        assert (row.status, row.output, row.continuation) == ("completed", "done", 1)

    def test_costs_no_attempt(self, stack: Stack) -> None:
        worker = Worker(ValueError("one"), Continue(1), ValueError("two"), "done", attempts=2)

        worker.receives(stack)
        worker.receives(stack, receives=2)
        [following] = stack.inbox()
        worker.receives(stack, json.dumps(following))
        worker.receives(stack, json.dumps(following), receives=2)

        assert [run.attempt for run in worker.runs] == [1, 2, 1, 2]
        row = stack.row("demo-greet")
        assert (row.status, row.attempts) == ("completed", 3)

    def test_asks_itself_to_go_on(self, stack: Stack) -> None:
        Worker(Continue(1)).receives(stack)

        assert stack.inbox() == [{"nightshift": "due", "run": str(stack.row("demo-greet").id)}]

    def test_drops_the_earlier_messages_once_the_run_has_ended(self, stack: Stack) -> None:
        worker = Worker(Continue(1), "done")
        worker.receives(stack)
        [following] = stack.inbox()
        worker.receives(stack, json.dumps(following))

        again = [worker.receives(stack, receives=2), worker.receives(stack, json.dumps(following), receives=2)]

        assert again == [DONE, DONE]
        assert len(worker.runs) == 2
        assert stack.inbox() == []

    def test_goes_on_though_its_worker_died_before_it_could_ask_for_it(self, stack: Stack) -> None:
        Worker(Continue("c")).receives(stack)
        stack.inbox()  # the message is gone, as if it had never been sent
        worker = Worker("done")

        again = worker.receives(stack, receives=2)

        assert again == DONE
        assert [(run.cursor, run.attempt) for run in worker.runs] == [("c", 1)]
        assert stack.row("demo-greet").status == "completed"

    def test_carries_a_cursor_of_any_size(self, stack: Stack) -> None:
        worker = Worker(Continue(["x" * 300_000]), "done")
        worker.receives(stack)
        worker.works_off(stack)

        assert worker.runs[1].cursor == ["x" * 300_000]

    def test_shows_one_attempt_for_a_run_that_never_failed(self, stack: Stack) -> None:
        worker = Worker(Continue(1), Continue(2), "done")
        worker.receives(stack)
        for _ in range(2):
            [following] = stack.inbox()
            worker.receives(stack, json.dumps(following))

        row = stack.row("demo-greet")
        assert (row.status, row.attempts, row.continuation) == ("completed", 1, 2)

    def test_ends_when_one_continuation_has_used_up_its_attempts(self, stack: Stack) -> None:
        worker = Worker(Continue(1), ValueError("one"), ValueError("two"), attempts=2)
        worker.receives(stack)
        [following] = stack.inbox()
        worker.receives(stack, json.dumps(following))
        worker.receives(stack, json.dumps(following), receives=2)

        row = stack.row("demo-greet")
        assert (row.status, row.attempts) == ("failed", 2)

    def test_keeps_the_time_of_its_event(self, stack: Stack) -> None:
        worker = Worker(Continue(1), "done")
        worker.receives(stack)
        stack.advance(hours=5)
        [following] = stack.inbox()
        worker.receives(stack, json.dumps(following))

        assert worker.runs[0].event_time == worker.runs[1].event_time

    def test_passes_an_except_exception_of_the_handler(self, stack: Stack) -> None:
        def swallow(event: Greeted, run: Run) -> None:
            try:
                raise Continue(1)
            except Exception:
                pytest.fail("swallowed")

        worker = Worker()
        worker.task(swallow)
        worker.receives(stack)

        assert stack.row("demo-greet").continuation == 1


class TestRefusals:
    @pytest.mark.parametrize("body", [" ", "not json", "[]", "{}", '{"detail-type": 7}', "[" * 5000])
    def test_puts_garbage_aside_with_a_failed_run(self, stack: Stack, body: str) -> None:
        worker = Worker()

        answer = worker.receives(stack, body)
        worker.works_off(stack)

        assert answer == DONE
        row = stack.row("demo-greet", "sqs:message-1")
        assert (row.status, row.failure) == ("failed", "handled")
        assert row.error is not None
        assert row.error["type"] == "InvalidMessageError"
        assert worker.runs == []

    def test_refuses_data_that_the_event_does_not_allow(self, stack: Stack) -> None:
        answer = Worker().receives(stack, envelope(data={"name": None}))

        assert answer == DONE
        row = stack.row("demo-greet")
        assert row.status == "failed"
        assert row.error == {
            "type": "InvalidMessageError",
            "message": "demo/greeted: name: Input should be a valid string",
            "attempt": 1,
        }

    def test_refuses_another_functions_event(self, stack: Stack) -> None:
        Worker().receives(stack, envelope(**{"detail-type": "demo/other"}))

        row = stack.row("demo-greet", "sqs:message-1")
        assert row.event_name == "demo/other"
        assert row.error is not None
        assert "reacts to demo/greeted" in row.error["message"]

    def test_does_its_neighbours(self, stack: Stack) -> None:
        worker = Worker()
        batch = [
            stack.message(envelope(metadata={"id": "a"}), message_id="1"),
            stack.message("garbage", message_id="2"),
            stack.message(envelope(metadata={"id": "b"}), message_id="3"),
        ]

        answer = worker.task.handler({"Records": [r for m in batch for r in m["Records"]]}, Context())

        assert answer == DONE
        assert [run.event_id for run in worker.runs] == ["a", "b"]

    @pytest.mark.parametrize("call", [None, {}, [], "x", {"step": "a"}])
    def test_refuses_a_call_that_is_no_batch(self, stack: Stack, call: Any) -> None:
        with pytest.raises(NonRetryableError, match="not an SQS batch"):
            Worker().task.handler(call, Context())


def test_an_event_from_the_future_reaches_no_further_than_now(stack: Stack) -> None:
    worker = Worker()

    worker.receives(stack, envelope(metadata={"ts": 4_000_000_000_000}))

    assert worker.runs[0].event_time == clock.now()


def test_keeps_the_message_back_when_the_ledger_is_away(stack: Stack) -> None:
    aws.client("dynamodb").delete_table(TableName="test_ledger")

    answer = Worker().receives(stack)

    assert answer == KEPT_BACK


def test_takes_an_event_and_keeps_a_result_that_the_ledger_cannot_hold(stack: Stack) -> None:
    worker = Worker("x" * 250_000)

    worker.receives(stack, envelope(data={"name": "y" * 900_000}))

    assert worker.events[0].name == "y" * 900_000
    row = stack.row("demo-greet")
    assert row.status == "completed"
    assert incoming(row.output) == "x" * 250_000
    assert len(row.event) < 10_000


@pytest.mark.parametrize("result", [object(), "\ud800"])
def test_a_result_without_a_json_form_is_a_failed_attempt(stack: Stack, result: object) -> None:
    answer = Worker(result).receives(stack)

    assert answer == KEPT_BACK
    row = stack.row("demo-greet")
    assert row.status == "running"
    assert row.error is not None


def test_keeps_a_number_that_json_cannot_write_as_null(stack: Stack) -> None:
    Worker({"ratio": float("nan")}).receives(stack)

    assert stack.row("demo-greet").output == {"ratio": None}


def test_a_row_holds_the_largest_event_with_the_largest_cursor_and_error(stack: Stack) -> None:
    largest_event = "x" * (LIMIT - len(envelope(data={"name": ""}, metadata={"id": "i" * 512})) - 100)
    worker = Worker(Continue("x" * (LIMIT - 2)), ValueError("\n" * 9_000))

    worker.receives(stack, envelope(data={"name": largest_event}, metadata={"id": "i" * 512}))
    worker.works_off(stack)

    row = stack.row("demo-greet", "i" * 512)
    assert row.cursor == "x" * (LIMIT - 2)
    assert row.error is not None
    item = boto3.client("dynamodb").get_item(TableName="test_ledger", Key=key_of(row.id))["Item"]
    assert 380_000 < sum(len(name) + len(next(iter(value.values()))) for name, value in item.items()) < 409_600
