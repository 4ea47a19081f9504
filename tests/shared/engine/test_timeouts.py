"""`Timeouts`: a run that does not start, or finish, in time is cancelled."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.engine import Continue, RetryAfter, Throttle, Timeouts
from tests.dying import dying_at
from tests.effects import DiedError
from tests.factories import envelope
from tests.machine import Flow, executions
from tests.simulated_inbox import SimulatedInbox
from tests.stack import START, Stack
from tests.worker import DONE, KEPT_BACK, Worker, control_of

TEN_MINUTES: dict[str, Any] = {"timeouts": Timeouts(finish="10m")}
TOO_LATE = {"type": "FinishTimeoutError", "message": "the run had not finished 0:10:00 after its start"}


def deadlines(stack: Stack) -> list[int]:
    return [call["DelaySeconds"] for call in stack.asked("SendMessage") if '"deadline"' in call["MessageBody"]]


class TestFinishOfATask:
    def test_sends_itself_the_deadline_before_it_works(self, stack: Stack) -> None:
        Worker(**TEN_MINUTES).receives(stack)

        assert deadlines(stack) == [600]

    def test_changes_nothing_for_a_run_that_finished(self, stack: Stack) -> None:
        worker = Worker("done", **TEN_MINUTES)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        row = stack.row("demo-greet")
        assert (row.status, row.output, stack.news()) == ("completed", "done", [])

    @pytest.mark.parametrize("outcome", [RetryAfter(3_600), ValueError("no")])
    def test_cancels_a_run_between_two_attempts(self, stack: Stack, outcome: Exception) -> None:
        worker = Worker(outcome, when_told=[], **TEN_MINUTES)
        worker.receives(stack)
        stack.inbox()

        stack.advance(minutes=10)
        worker.receives(stack, control_of(stack, "deadline"))
        worker.works_off(stack)

        row = stack.row("demo-greet")
        assert (row.status, row.error, row.failure) == ("cancelled", TOO_LATE, "handled")
        assert [(told.status, told.type) for told in worker.told] == [("cancelled", "FinishTimeoutError")]
        assert stack.dead_letters() == []

    def test_counts_from_the_start_not_from_the_acceptance(self, stack: Stack) -> None:
        worker = Worker("first", RetryAfter(300), "second", throttle=Throttle(1, "1h"), **TEN_MINUTES)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())
        inbox.put(envelope(metadata={"id": "event-2"}))

        inbox.work_off()

        assert stack.row("demo-greet", "event-2").output == "second"

    def test_counts_from_the_first_start_not_from_the_last(self, stack: Stack) -> None:
        worker = Worker(*[RetryAfter(250)] * 5, **TEN_MINUTES)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        row = stack.row("demo-greet")
        assert (row.status, len(worker.runs)) == ("cancelled", 3)
        assert row.time_of("started") == START

    def test_does_not_record_what_a_late_worker_does(self, stack: Stack) -> None:
        def work_too_long() -> str:
            stack.advance(minutes=10)
            worker.receives(stack, control_of(stack, "deadline"))
            return "late"

        worker = Worker(work_too_long, **TEN_MINUTES)

        answer = worker.receives(stack)

        row = stack.row("demo-greet")
        assert (answer, row.status, row.output, row.error) == (DONE, "cancelled", None, TOO_LATE)

    @pytest.mark.parametrize("outcome", [ValueError("late"), RetryAfter(1), Continue(1)])
    def test_does_not_go_on_with_what_a_late_worker_leaves(self, stack: Stack, outcome: BaseException) -> None:
        def work_too_long() -> None:
            stack.advance(minutes=10)
            worker.receives(stack, control_of(stack, "deadline"))
            raise outcome

        worker = Worker(work_too_long, **TEN_MINUTES)
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        row = stack.row("demo-greet")
        assert (row.status, row.error, len(worker.runs)) == ("cancelled", TOO_LATE, 1)

    def test_sends_a_deadline_on_that_comes_too_early(self, stack: Stack) -> None:
        worker = Worker(RetryAfter(3_600), **TEN_MINUTES)
        worker.receives(stack)

        stack.advance(minutes=9, seconds=59.5)
        worker.receives(stack, control_of(stack, "deadline"))

        assert deadlines(stack) == [600, 1]
        assert stack.row("demo-greet").status == "waiting"

    def test_is_seen_by_any_message_though_the_deadline_was_lost(self, stack: Stack) -> None:
        worker = Worker(RetryAfter(3_600), **TEN_MINUTES)
        worker.receives(stack)
        stack.inbox()

        stack.advance(hours=1)
        worker.receives(stack, control_of(stack, "due"))

        assert (stack.row("demo-greet").status, len(worker.runs)) == ("cancelled", 1)


class TestFinishOfAWorkflow:
    def test_stops_the_execution_and_says_why(self, machine: Stack) -> None:
        flow = Flow(**TEN_MINUTES)
        flow.receives(machine)
        assert deadlines(machine) == [600]

        machine.advance(minutes=10)
        flow.receives(machine, control_of(machine, "deadline"))

        [stopped] = machine.asked("StopExecution")
        assert (stopped["error"], stopped["cause"]) == (TOO_LATE["type"], TOO_LATE["message"])
        assert [each["status"] for each in executions()] == ["ABORTED"]
        flow.ends(machine, "ABORTED", error=stopped["error"], cause=stopped["cause"])
        flow.works_off(machine)
        assert [(told.status, told.type) for told in flow.told] == [("cancelled", "FinishTimeoutError")]

    def test_leaves_an_execution_alone_that_ended_in_time(self, machine: Stack) -> None:
        flow = Flow(**TEN_MINUTES)
        flow.receives(machine)
        flow.ends(machine, "SUCCEEDED", output="1")

        machine.advance(minutes=10)
        flow.receives(machine, control_of(machine, "deadline"))

        assert machine.asked("StopExecution") == []
        assert machine.row("demo-greet").status == "completed"

    def test_stops_the_execution_when_the_reconciler_looks_though_its_message_was_lost(self, machine: Stack) -> None:
        flow = Flow(**TEN_MINUTES)
        flow.receives(machine)
        machine.inbox()

        machine.advance(minutes=9)
        flow.receives(machine, control_of(machine, "due"))
        in_time = machine.asked("StopExecution")
        machine.advance(minutes=1)
        flow.receives(machine, control_of(machine, "due"))

        assert in_time == []
        assert [each["error"] for each in machine.asked("StopExecution")] == [TOO_LATE["type"]]

    def test_leaves_no_start_unwatched(self, machine: Stack) -> None:
        flow = Flow(**TEN_MINUTES)
        with dying_at(machine, 5, "before"), pytest.raises(DiedError, match="before UpdateItem"):
            flow.receives(machine)
        assert (len(executions()), machine.row("demo-greet").status) == (1, "accepted")

        machine.advance(minutes=1)
        flow.receives(machine, receives=2)

        assert deadlines(machine) == [600, 600]
        assert machine.row("demo-greet").status == "running"


class TestStart:
    def test_cancels_a_run_that_is_not_started_by_then(self, stack: Stack) -> None:
        flow = Flow(timeouts=Timeouts(start="5m"))
        first = flow.receives(stack)
        assert (first, stack.row("demo-greet").status) == (KEPT_BACK, "accepted")

        stack.clock.advance(timedelta(minutes=5, milliseconds=1))
        flow.receives(stack, receives=2)

        row = stack.row("demo-greet")
        assert row.error is not None
        assert (row.status, row.error["type"]) == ("cancelled", "StartTimeoutError")

    def test_does_not_count_for_a_run_that_has_started(self, stack: Stack) -> None:
        worker = Worker(ValueError("once"), "done", timeouts=Timeouts(start="5m"))
        worker.receives(stack)

        stack.advance(hours=1)
        worker.receives(stack, receives=2)

        assert stack.row("demo-greet").status == "completed"
