"""A run that waits: for its slot, or because its handler said when to try again."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from shared import clock
from shared.engine import Continue, RetryAfter, Throttle
from shared.engine.task import WAITS_LIMIT
from tests.dying import dying_at
from tests.effects import DiedError
from tests.factories import envelope
from tests.machine import Flow, executions
from tests.simulated_inbox import SimulatedInbox
from tests.stack import START, Stack
from tests.worker import DONE, KEPT_BACK, Worker, control_of

SECOND = envelope(metadata={"id": "event-2"})


@pytest.fixture
def waiting(stack: Stack) -> Worker:
    """A worker whose run `event-2` waits for a slot in an hour."""
    worker = Worker("first", "second", throttle=Throttle(1, "1h"))
    worker.receives(stack)
    worker.receives(stack, SECOND)
    stack.inbox()
    assert stack.row("demo-greet", "event-2").status == "waiting"
    return worker


def delays(stack: Stack) -> list[int]:
    return [call["DelaySeconds"] for call in stack.asked("SendMessage")]


class TestForASlot:
    def test_is_sent_on_as_far_as_sqs_can_delay_a_message(self, stack: Stack, waiting: Worker) -> None:
        due = control_of(stack, "due", event_id="event-2")

        stack.advance(seconds=900)
        first = waiting.receives(stack, due)
        stack.advance(seconds=2_690)
        second = waiting.receives(stack, due)

        assert (first, second, delays(stack)) == (DONE, DONE, [900, 900, 10])
        assert len(waiting.runs) == 1

    def test_ends_at_the_slot(self, stack: Stack, waiting: Worker) -> None:
        stack.advance(hours=1)

        answer = waiting.receives(stack, control_of(stack, "due", event_id="event-2"))

        row = stack.row("demo-greet", "event-2")
        assert (answer, row.status, row.output, row.attempts) == (DONE, "completed", "second", 1)
        assert row.time_of("started") == START + timedelta(hours=1)

    def test_drops_a_duplicate_of_its_event_meanwhile(self, stack: Stack, waiting: Worker) -> None:
        sent = len(delays(stack))

        answer = waiting.receives(stack, SECOND)

        assert (answer, len(waiting.runs), len(delays(stack))) == (DONE, 1, sent)

    def test_may_end_by_a_duplicate_of_its_event(self, stack: Stack, waiting: Worker) -> None:
        stack.advance(hours=1)

        waiting.receives(stack, SECOND)
        again = waiting.receives(stack, control_of(stack, "due", event_id="event-2"))

        assert (again, len(waiting.runs)) == (DONE, 2)

    def test_is_looked_at_by_the_reconciler_when_the_message_is_lost(self, stack: Stack, waiting: Worker) -> None:
        assert stack.check_at("demo-greet", "event-2") == START + timedelta(hours=1, minutes=5)

        stack.advance(hours=1, minutes=5)
        waiting.receives(stack, control_of(stack, "due", event_id="event-2"))

        assert stack.row("demo-greet", "event-2").status == "completed"

    def test_needs_no_policy_any_more_to_end(self, stack: Stack, waiting: Worker) -> None:
        worker = Worker("done")
        stack.advance(hours=1)

        worker.receives(stack, control_of(stack, "due", event_id="event-2"))

        assert stack.row("demo-greet", "event-2").output == "done"

    def test_of_a_workflow_ends_with_the_start_of_its_execution(self, machine: Stack) -> None:
        flow = Flow(throttle=Throttle(1, "1h"))
        flow.receives(machine)
        flow.receives(machine, SECOND)
        assert len(executions()) == 1

        machine.advance(hours=1)
        flow.receives(machine, control_of(machine, "due", event_id="event-2"))

        row = machine.row("demo-greet", "event-2")
        assert {each["name"] for each in executions()} >= {str(row.id)}
        assert (row.status, row.attempts) == ("running", 1)

    def test_starts_all_of_a_burst_in_order_and_not_too_fast(self, stack: Stack) -> None:
        worker = Worker(throttle=Throttle(2, "10m"))
        inbox = SimulatedInbox(stack, worker.task.handler)
        for number in range(8):
            inbox.put(envelope(metadata={"id": f"event-{number}"}))

        inbox.work_off()

        assert [run.event_id for run in worker.runs] == [f"event-{number}" for number in range(8)]
        started = [stack.row("demo-greet", f"event-{number}").time_of("started") - START for number in range(8)]
        assert [each.total_seconds() // 60 for each in started] == [0, 0, 5, 10, 15, 20, 25, 30]


class TestRetryAfter:
    def test_costs_no_attempt(self, stack: Stack) -> None:
        worker = Worker(ValueError("one"), RetryAfter(30), RetryAfter(2_000), "done", attempts=2)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        assert [run.attempt for run in worker.runs] == [1, 2, 2, 2]
        row = stack.row("demo-greet")
        assert (row.status, row.output, row.attempts, row.waits) == ("completed", "done", 2, 2)
        assert clock.now() - START >= timedelta(seconds=2_043)

    def test_waits_as_told(self, stack: Stack) -> None:
        answer = Worker(RetryAfter(30.5)).receives(stack)

        row = stack.row("demo-greet")
        assert (answer, row.status, row.slot) == (DONE, "waiting", round(START.timestamp() * 1000) + 30_500)
        assert delays(stack) == [31]

    def test_goes_on_from_the_cursor_of_its_run(self, stack: Stack) -> None:
        worker = Worker(Continue("c"), RetryAfter(30), "done")
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        assert [run.cursor for run in worker.runs] == [None, "c", "c"]

    def test_costs_attempts_after_very_many_waits_so_that_every_run_ends(self, stack: Stack) -> None:
        worker = Worker(*[RetryAfter(1)] * (WAITS_LIMIT + 5), attempts=2)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        row = stack.row("demo-greet")
        assert (row.status, row.attempts, len(worker.runs)) == ("failed", 2, WAITS_LIMIT + 2)
        assert row.error == {"type": "RetryAfter", "message": '{"seconds": 1}', "attempt": 2}

    def test_is_not_forgotten_when_its_worker_dies_before_the_message_is_sent(self, stack: Stack) -> None:
        worker = Worker(RetryAfter(30), "done")
        with dying_at(stack, 3, "before"), pytest.raises(DiedError, match="before SendMessage"):
            worker.receives(stack)
        assert stack.row("demo-greet").status == "waiting"

        stack.advance(seconds=90)
        answer = worker.receives(stack, receives=2)

        row = stack.row("demo-greet")
        assert (answer, row.status, row.attempts) == (DONE, "completed", 1)

    def test_is_an_attempt_where_its_worker_dies_before_it_can_be_noted(self, stack: Stack) -> None:
        worker = Worker(RetryAfter(30), "done")
        with dying_at(stack, 2, "before"), pytest.raises(DiedError, match="before UpdateItem"):
            worker.receives(stack)

        early = worker.receives(stack, receives=2)
        stack.advance(seconds=60)
        later = worker.receives(stack, receives=3)

        assert (early, later, [run.attempt for run in worker.runs]) == (KEPT_BACK, DONE, [1, 2])

    def test_is_dropped_where_another_has_the_run_meanwhile(self, stack: Stack) -> None:
        def outlive_the_lease() -> None:
            stack.advance(minutes=2)
            Worker("second").receives(stack, receives=2)
            raise RetryAfter(30)

        answer = Worker(outlive_the_lease).receives(stack)

        assert (answer, delays(stack)) == (DONE, [])
        assert stack.row("demo-greet").output == "second"


def test_going_on_is_not_forgotten_when_its_worker_dies_before_the_message_is_sent(stack: Stack) -> None:
    worker = Worker(Continue(7), "done")
    with dying_at(stack, 3, "before"), pytest.raises(DiedError, match="before SendMessage"):
        worker.receives(stack)

    answer = worker.receives(stack, receives=2)

    assert answer == DONE
    assert [(run.cursor, run.attempt) for run in worker.runs] == [(None, 1), (7, 1)]


def test_a_due_message_says_nothing_but_its_run(stack: Stack) -> None:
    Worker(RetryAfter(1)).receives(stack)

    [sent] = stack.asked("SendMessage")
    assert json.loads(sent["MessageBody"]) == {"nightshift": "due", "run": str(stack.row("demo-greet").id)}
