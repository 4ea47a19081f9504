from __future__ import annotations

import json

import pytest

from shared.engine import NonRetryableError, Run
from shared.engine.ledger import ledger
from tests.factories import Greeted
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK, Worker


class TestRetries:
    def test_tries_again_later_and_each_time_waits_longer(self, stack: Stack) -> None:
        worker = Worker(ValueError("one"), ValueError("two"), "done")

        answers = [worker.receives(stack, receives=number) for number in (1, 2, 3)]

        assert answers == [KEPT_BACK, KEPT_BACK, DONE]
        waits = [call["VisibilityTimeout"] for call in stack.asked("ChangeMessageVisibility")]
        assert [13 <= waits[0] <= 17, 27 <= waits[1] <= 33] == [True, True]
        assert [run.attempt for run in worker.runs] == [1, 2, 3]
        row = stack.row("demo-greet")
        assert (row.status, row.attempts, row.output, row.error) == ("completed", 3, "done", None)

    def test_shows_the_last_error_while_it_waits(self, stack: Stack) -> None:
        Worker(ValueError("the database is away")).receives(stack)

        row = stack.row("demo-greet")
        assert row.status == "running"
        assert row.error == {"type": "ValueError", "message": "the database is away", "attempt": 1}

    def test_fails_after_the_last_attempt(self, stack: Stack) -> None:
        worker = Worker(*[ValueError("no")] * 3)

        answers = [worker.receives(stack, receives=number) for number in (1, 2, 3)]

        assert answers == [KEPT_BACK, KEPT_BACK, DONE]
        row = stack.row("demo-greet")
        assert (row.status, row.attempts, row.failure) == ("failed", 3, "pending")
        assert row.error == {"type": "ValueError", "message": "no", "attempt": 3}
        assert stack.inbox() == [{"nightshift": "failure", "run": str(row.id)}]

    def test_puts_the_event_aside_with_the_reason_as_what_asks_for_the_next_generation(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no such client"))
        worker.receives(stack)
        worker.works_off(stack)

        [dead] = stack.dead_letters()
        assert json.loads(dead["Body"])["detail"] == {
            "data": {"name": "Ada"},
            "metadata": {"id": "event-1", "generation": 1},
        }
        reason = {name: value["StringValue"] for name, value in dead["MessageAttributes"].items()}
        assert reason == {
            "Function": "demo-greet",
            "RunId": str(stack.row("demo-greet").id),
            "ErrorType": "NonRetryableError",
            "ErrorMessage": "no such client",
        }

    def test_does_not_try_again_what_cannot_succeed(self, stack: Stack) -> None:
        class NoSuchClientError(NonRetryableError):
            pass

        worker = Worker(NoSuchClientError("7"))

        answer = worker.receives(stack)

        assert answer == DONE
        row = stack.row("demo-greet")
        assert (row.status, row.attempts) == ("failed", 1)
        assert row.error == {"type": "NoSuchClientError", "message": "7", "attempt": 1}

    def test_ends_on_the_queues_last_delivery_though_attempts_are_left(self, stack: Stack) -> None:
        worker = Worker(ValueError("no"), attempts=3)

        worker.receives(stack, receives=5)

        assert stack.row("demo-greet").status == "failed"


class TestDeadWorkers:
    """A worker that dies leaves its row `running` with a lease; nothing else of it remains."""

    @staticmethod
    def die(stack: Stack, worker: Worker) -> None:
        def exit_hard(event: Greeted, run: Run) -> None:
            raise KeyboardInterrupt  # passes the engine like the end of the process does

        worker.task(exit_hard)
        with pytest.raises(KeyboardInterrupt):
            worker.receives(stack)

    def test_waits_for_the_lease_to_run_out(self, stack: Stack) -> None:
        self.die(stack, Worker())
        worker = Worker("done")

        stack.advance(seconds=59)
        early = worker.receives(stack, receives=2)
        stack.advance(seconds=1)
        later = worker.receives(stack, receives=3)

        assert (early, later) == (KEPT_BACK, DONE)
        assert [run.attempt for run in worker.runs] == [2]
        assert stack.row("demo-greet").status == "completed"

    def test_leaves_a_duplicate_to_the_queues_own_visibility(self, stack: Stack) -> None:
        self.die(stack, Worker())

        Worker().receives(stack, receives=2)

        assert stack.asked("ChangeMessageVisibility") == []

    def test_records_the_end_of_one_that_died_on_its_last_attempt(self, stack: Stack) -> None:
        for _ in range(3):
            self.die(stack, Worker())
            stack.advance(minutes=2)
        worker = Worker()

        answer = worker.receives(stack, receives=4)

        assert answer == DONE
        assert worker.runs == []
        row = stack.row("demo-greet")
        assert row.status == "failed"
        assert row.error == {
            "type": "WorkerDiedError",
            "message": "the worker died on attempt 3, the last",
            "attempt": 3,
        }
        worker.works_off(stack)
        assert len(stack.dead_letters()) == 1

    def test_does_not_end_a_run_that_another_has_taken_over(self, stack: Stack) -> None:
        def outlive_the_lease(event: Greeted, run: Run) -> str:
            stack.advance(minutes=2)
            Worker("second").receives(stack, receives=2)
            return "first"

        slow = Worker()
        slow.task(outlive_the_lease)
        slow.receives(stack)

        assert stack.row("demo-greet").output == "second"

    def test_tells_a_failure_that_its_worker_could_not_tell(self, stack: Stack) -> None:
        Worker(ValueError("no"), attempts=1)
        row_only = Worker(attempts=1)
        row_only.task(lambda event, run: ledger().fail(run.id, error={"type": "E", "message": "m"}))
        row_only.receives(stack)
        assert stack.row("demo-greet").failure == "pending"

        Worker().receives(stack, receives=2)
        Worker().works_off(stack)
        Worker().receives(stack, receives=3)

        assert stack.row("demo-greet").failure == "handled"
        assert len(stack.dead_letters()) == 1
