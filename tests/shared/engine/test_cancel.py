"""Cancelling a run, wherever it stands."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from shared.engine import Continue, RetryAfter, Throttle
from shared.engine.row import Row
from tests.dying import dying_at
from tests.effects import DiedError
from tests.factories import envelope
from tests.machine import MACHINE, Flow, executions
from tests.simulated_inbox import SimulatedInbox
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK, Worker, control_of

BY_ADA = {"type": "CancelledError", "message": "by Ada"}


def cancel(stack: Stack, event_id: str = "event-1") -> str:
    return control_of(stack, "cancel", event_id=event_id, reason="by Ada")


def ended(stack: Stack) -> tuple[Any, ...]:
    row: Row = stack.row("demo-greet")
    return row.status, row.error, row.failure


class TestATask:
    @pytest.mark.parametrize("outcome", [ValueError("no"), RetryAfter(60), Continue(1)])
    def test_between_two_calls_of_its_handler(self, stack: Stack, outcome: BaseException) -> None:
        worker = Worker(outcome, when_told=[])
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())
        inbox.deliver(inbox.messages[0])

        inbox.put(cancel(stack))
        inbox.deliver(inbox.messages[-1])
        inbox.work_off()

        assert ended(stack) == ("cancelled", BY_ADA, "handled")
        assert len(worker.runs) == 1
        assert [(told.status, told.message) for told in worker.told] == [("cancelled", "by Ada")]
        assert stack.dead_letters() == []
        assert [each["name"] for each in stack.news()] == ["nightshift/function.cancelled"]

    def test_that_waits_for_its_slot(self, stack: Stack) -> None:
        worker = Worker(throttle=Throttle(1, "1h"))
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope(metadata={"id": "event-0"}))
        inbox.put(envelope())
        for message in inbox.visible:
            inbox.deliver(message)

        inbox.put(cancel(stack))
        inbox.work_off()

        assert ended(stack) == ("cancelled", BY_ADA, "handled")
        assert [run.event_id for run in worker.runs] == ["event-0"]

    @pytest.mark.parametrize("outcome", ["done", ValueError("no"), RetryAfter(60), Continue(1)])
    def test_while_its_handler_works(self, stack: Stack, outcome: Any) -> None:
        def be_cancelled() -> Any:
            worker.receives(stack, cancel(stack))
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        worker = Worker(be_cancelled, when_told=[])
        inbox = SimulatedInbox(stack, worker.task.handler)
        inbox.put(envelope())

        inbox.work_off()

        assert ended(stack) == ("cancelled", BY_ADA, "handled")
        assert (len(worker.runs), len(worker.told)) == (1, 1)

    def test_that_has_ended_changes_nothing(self, stack: Stack) -> None:
        worker = Worker("done", when_told=[])
        worker.receives(stack)

        answer = worker.receives(stack, cancel(stack))
        worker.works_off(stack)

        assert (answer, ended(stack), worker.told) == (DONE, ("completed", None, None), [])

    def test_twice_is_told_once(self, stack: Stack) -> None:
        worker = Worker(ValueError("no"), when_told=[])
        worker.receives(stack)

        for _ in range(3):
            worker.receives(stack, cancel(stack))
        worker.works_off(stack)

        assert (len(worker.told), len(stack.news())) == (1, 1)

    def test_is_told_though_its_worker_died_before_it_could_ask_for_it(self, stack: Stack) -> None:
        worker = Worker(ValueError("no"), when_told=[])
        worker.receives(stack)
        message = cancel(stack)
        with dying_at(stack, 3, "before"), pytest.raises(DiedError, match="before SendMessage"):
            worker.receives(stack, message)

        worker.receives(stack, message, receives=2)
        worker.works_off(stack)

        assert len(worker.told) == 1

    def test_that_nobody_gives_a_reason_for(self, stack: Stack) -> None:
        worker = Worker(ValueError("no"))
        worker.receives(stack)

        worker.receives(stack, control_of(stack, "cancel"))

        assert stack.row("demo-greet").error == {"type": "CancelledError", "message": "cancelled"}


class TestAWorkflow:
    def test_that_runs_stops_its_execution_whose_end_is_then_told(self, machine: Stack) -> None:
        flow = Flow()
        flow.receives(machine)

        flow.receives(machine, cancel(machine))

        assert machine.row("demo-greet").status == "running"
        assert [each["status"] for each in executions()] == ["ABORTED"]
        flow.ends(machine, "ABORTED", error="CancelledError", cause="by Ada")
        flow.works_off(machine)
        row = machine.row("demo-greet")
        assert (row.status, row.failure) == ("cancelled", "handled")
        assert [(told.status, told.type, told.message) for told in flow.told] == [
            ("cancelled", "CancelledError", "by Ada")
        ]
        assert machine.dead_letters() == []

    def test_that_is_not_started_yet(self, machine: Stack) -> None:
        flow = Flow(throttle=Throttle(1, "1h"))
        flow.receives(machine, envelope(metadata={"id": "event-0"}))
        flow.receives(machine)

        flow.receives(machine, cancel(machine))
        flow.works_off(machine)
        machine.advance(hours=1)
        flow.receives(machine, control_of(machine, "due"))

        assert ended(machine) == ("cancelled", BY_ADA, "handled")
        assert len(executions()) == 1

    @pytest.mark.parametrize(
        "moment", [("before", "StartExecution"), ("after", "StartExecution")], ids=lambda moment: moment[0]
    )
    def test_while_it_is_being_started_stops_what_was_started(self, machine: Stack, moment: tuple[str, str]) -> None:
        flow = Flow()

        def interrupt(when: str, operation: str) -> None:
            if (when, operation) == moment:
                machine.interrupt = lambda _when, _operation: None
                flow.receives(machine, cancel(machine))

        machine.interrupt = interrupt
        answer = flow.receives(machine)
        flow.works_off(machine)

        assert answer == DONE
        assert ended(machine) == ("cancelled", BY_ADA, "handled")
        assert [each["status"] for each in executions()] == ["ABORTED"]
        assert len(flow.told) == 1

    def test_whose_starter_died_before_it_could_note_the_start(self, machine: Stack) -> None:
        flow = Flow()
        with dying_at(machine, 3, "after"), pytest.raises(DiedError, match="after StartExecution"):
            flow.receives(machine)

        flow.receives(machine, cancel(machine))
        flow.ends(machine, "ABORTED", error="CancelledError", cause="by Ada")
        flow.works_off(machine)

        assert [each["status"] for each in executions()] == ["ABORTED"]
        assert ended(machine) == ("cancelled", BY_ADA, "handled")
        assert len(flow.told) == 1

    def test_whose_execution_nobody_knows(self, machine: Stack) -> None:
        flow = Flow()
        flow.receives(machine)
        client = boto3.client("stepfunctions")
        client.delete_state_machine(stateMachineArn=MACHINE)
        client.create_state_machine(
            name="test_demo-greet",
            definition='{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}',
            roleArn="arn:aws:iam::123456789012:role/test",
        )

        answer = flow.receives(machine, cancel(machine))

        assert (answer, ended(machine)) == (DONE, ("cancelled", BY_ADA, "pending"))

    def test_that_has_ended_changes_nothing(self, machine: Stack) -> None:
        flow = Flow()
        flow.receives(machine)
        flow.ends(machine, "SUCCEEDED", output="1")

        flow.receives(machine, cancel(machine))

        assert (ended(machine), machine.asked("StopExecution")) == (("completed", None, None), [])


def test_of_a_run_that_somebody_admits_ends_it(stack: Stack) -> None:
    worker = Worker(throttle=Throttle(1, "1h"), when_told=[])

    def interrupt(when: str, operation: str) -> None:
        if (when, operation) == ("before", "UpdateItem"):
            stack.interrupt = lambda _when, _operation: None
            worker.receives(stack, cancel(stack))

    stack.interrupt = interrupt
    answer = worker.receives(stack)
    worker.works_off(stack)
    again = worker.receives(stack, receives=2)

    assert (answer, again) == (KEPT_BACK, DONE)
    assert (ended(stack), worker.runs, len(worker.told)) == (("cancelled", BY_ADA, "handled"), [], 1)
