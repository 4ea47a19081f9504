"""Every bad end is told: to the dead-letter queue, to the bus, and to `on_failure`, whatever dies in between."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

import boto3
import pytest

from shared.engine import Failure, NonRetryableError, Task, Throttle, Timeouts, once
from shared.engine.executions import ExecutionEnded, record_end
from shared.engine.identity import RunId
from shared.events.event import Event
from tests.dying import dying_at
from tests.effects import DiedError
from tests.factories import Context, Greeted, envelope
from tests.machine import MACHINE, Flow, executions
from tests.simulated_inbox import SimulatedInbox
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK, Worker, control_of

RUN = RunId.of("demo-greet", "event-1")


def die() -> None:
    raise DiedError("in the middle")


def handler_of(worker: Worker | Flow) -> Any:
    return worker.task.handler if isinstance(worker, Worker) else worker.workflow.handler


def worked_off(stack: Stack, worker: Worker | Flow, *bodies: str) -> SimulatedInbox:
    inbox = SimulatedInbox(stack, handler_of(worker))
    for body in bodies:
        inbox.put(body)
    inbox.work_off()
    return inbox


class TestEachBadEndOfATask:
    @pytest.mark.parametrize(
        ("outcomes", "type_", "attempt"),
        [
            ([ValueError("no")] * 3, "ValueError", 3),
            ([NonRetryableError("no")], "NonRetryableError", 1),
            ([die] * 3, "WorkerDiedError", 3),
            ([object()] * 3, "PydanticSerializationError", 3),
        ],
    )
    def test_is_told_once(self, stack: Stack, outcomes: list[Any], type_: str, attempt: int) -> None:
        worker = Worker(*outcomes, when_told=[])

        worked_off(stack, worker, envelope())

        [failure] = worker.told
        assert (failure.status, failure.type, failure.attempt, failure.step) == ("failed", type_, attempt, None)
        assert (failure.run.id, failure.run.event_id, failure.run.attempt) == (RUN, "event-1", 1)
        [news] = stack.news()
        assert news["name"] == "nightshift/function.failed"
        assert news["metadata"]["id"] == f"{RUN}/nightshift:failed"
        assert news["data"] == {
            "function_id": "demo-greet",
            "run_id": str(RUN),
            "error": {"type": type_, "message": failure.message},
            "step": None,
            "attempt": attempt,
            "event": {"name": "demo/greeted", "id": "event-1", "data": {"name": "Ada"}},
        }
        assert len(stack.dead_letters()) == 1
        assert stack.row("demo-greet").failure == "handled"

    def test_is_told_for_one_whose_start_was_too_far_away(self, stack: Stack) -> None:
        worker = Worker(throttle=Throttle(1, "1h"), timeouts=Timeouts(start="5m"), when_told=[])

        worked_off(stack, worker, envelope(metadata={"id": "event-0"}), envelope())

        assert [(failure.status, failure.type) for failure in worker.told] == [("cancelled", "StartTimeoutError")]
        assert stack.dead_letters() == []


class TestEachBadEndOfAWorkflow:
    @pytest.mark.parametrize(
        ("status", "said", "told"),
        [
            ("FAILED", {"error": "ValueError", "cause": "no"}, ("failed", "ValueError", "no")),
            ("TIMED_OUT", {}, ("failed", "States.Timeout", "the execution was not over by its time limit")),
            ("ABORTED", {}, ("cancelled", "ExecutionAborted", "the execution was stopped")),
        ],
    )
    def test_of_its_execution_is_told_once_and_is_no_dead_letter(
        self, machine: Stack, status: str, said: dict[str, str], told: tuple[str, str, str]
    ) -> None:
        flow = Flow()
        flow.receives(machine)

        for _ in range(2):
            flow.ends(machine, status, **said)
        flow.works_off(machine)

        [failure] = flow.told
        assert (failure.status, failure.type, failure.message) == told
        assert [each["name"] for each in machine.news()] == [f"nightshift/function.{told[0]}"]
        assert machine.dead_letters() == []

    def test_before_its_execution_is_told_once_and_is_a_dead_letter(self, machine: Stack) -> None:
        flow = Flow()
        boto3.client("stepfunctions").delete_state_machine(stateMachineArn=MACHINE)

        worked_off(machine, flow, envelope())

        assert [(failure.type, failure.attempt) for failure in flow.told] == [("StateMachineDoesNotExist", None)]
        assert len(machine.dead_letters()) == 1


class TestDeaths:
    """The worker dies at each call of AWS, before it and after it; the message is delivered again."""

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("kind", [Worker, Flow])
    def test_lose_and_repeat_nothing(
        self, machine: Stack, kind: type[Worker | Flow], when: Literal["before", "after"]
    ) -> None:
        told: list[tuple[int, bool]] = []
        for number in range(1, 12):
            worker: Worker | Flow = Flow() if kind is Flow else Worker(NonRetryableError("no"), when_told=[])
            event_id = f"event-{number}"
            inbox = SimulatedInbox(machine, handler_of(worker))
            inbox.put(envelope(metadata={"id": event_id}))
            inbox.deliver(inbox.messages[0])
            run = str(machine.row("demo-greet", event_id).id)
            if kind is Flow:
                _fail_execution(run)
                inbox.take_in()
            [failure] = inbox.messages

            with dying_at(machine, number, when) as death:
                inbox.deliver(failure)
            inbox.work_off()

            news = [each for each in machine.news() if each["data"]["run_id"] == run]
            assert {each["metadata"]["id"] for each in news} == {f"{run}/nightshift:failed"}
            assert len(set(_dead_letters_of(machine, run))) == (1 if kind is Worker else 0)
            assert machine.row("demo-greet", event_id).failure == "handled"
            assert not inbox.moved_aside
            told.append((len(worker.told), death.happened))
            if not death.happened:
                break
        # Only a worker that died between the return of on_failure and the note of it makes it be called again.
        expected = [1] * len(told)
        expected[-2] = 2 if when == "before" else 1
        assert told == [(times, number < len(told) - 1) for number, times in enumerate(expected)]

    def test_while_on_failure_works_count_as_its_attempts(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), when_told=[die, die])

        worked_off(stack, worker, envelope())

        assert [failure.run.attempt for failure in worker.told] == [1, 2, 3]
        assert stack.row("demo-greet").failure == "handled"

    def test_before_on_failure_count_as_none(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), when_told=[], attempts=2)
        worker.receives(stack)
        failure = control_of(stack, "failure")
        stack.inbox()

        for receives in range(1, 8):
            with dying_at(stack, 4, "before"), pytest.raises(DiedError, match="before PutEvents"):
                worker.receives(stack, failure, receives=receives)
            stack.advance(minutes=2)
        worker.receives(stack, failure)

        assert (len(worker.told), stack.row("demo-greet").failure) == (1, "handled")

    def test_of_the_reconcilers_sight_do_not_take_a_run_that_is_not_told(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), when_told=[die] * 3)

        def is_listed() -> bool:
            key: Any = {"pk": {"S": f"run#{RUN}"}, "sk": {"N": "0"}}
            return "open_shard" in boto3.client("dynamodb").get_item(TableName="test_ledger", Key=key)["Item"]

        inbox = worked_off(stack, worker, envelope())
        given_up = is_listed()
        inbox.put(control_of(stack, "failure"))
        with dying_at(stack, 3, "before"):
            inbox.deliver(inbox.messages[0])

        assert (given_up, is_listed()) == (False, True)


class TestOnFailureThatFails:
    def test_is_tried_again_later(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), when_told=[ValueError("one"), ValueError("two")])

        inbox = worked_off(stack, worker, envelope())

        assert [failure.run.attempt for failure in worker.told] == [1, 2, 3]
        waits = [call["VisibilityTimeout"] for call in stack.asked("ChangeMessageVisibility")]
        assert [13 <= waits[0] <= 17, 27 <= waits[1] <= 33] == [True, True]
        assert (stack.row("demo-greet").failure, inbox.moved_aside) == ("handled", [])
        assert len(stack.news()) == len(stack.dead_letters()) == 1

    @pytest.mark.parametrize(
        ("outcomes", "error", "times"),
        [
            ([ValueError("no")] * 3, "ValueError", 3),
            ([NonRetryableError("never")], "NonRetryableError", 1),
            ([die] * 3, "WorkerDiedError", 3),
        ],
    )
    def test_is_given_up_and_starts_again_when_its_message_is_sent_back(
        self, stack: Stack, outcomes: list[Any], error: str, times: int
    ) -> None:
        worker = Worker(NonRetryableError("no"), when_told=outcomes)

        worked_off(stack, worker, envelope())

        assert len(worker.told) == times
        row = stack.row("demo-greet")
        assert (row.failure, row.failure_attempts) == ("told", 0)
        [message] = [dead for dead in stack.dead_letters() if "nightshift" in dead["Body"]]
        assert message["MessageAttributes"]["ErrorType"]["StringValue"] == error
        worked_off(stack, worker, message["Body"])
        assert (len(worker.told), worker.told[-1].run.attempt) == (times + 1, 1)
        assert stack.row("demo-greet").failure == "handled"
        assert len(stack.news()) == 1

    def test_does_not_see_the_records_of_the_handlers_effects(self, stack: Stack) -> None:
        done: list[str] = []
        task = Task("demo-greet", trigger=Greeted, attempts=1)

        @task
        def greet(event: Greeted, run: Any) -> None:
            once(run, event.name, lambda: done.append("greeted"), policy="stop")
            raise NonRetryableError("no")

        @task.on_failure
        def apologize(event: Greeted, failure: Failure) -> None:
            once(failure.run, event.name, lambda: done.append("apologized"), policy="stop")

        task.handler(stack.message(envelope()), Context())
        stack.work_off(task.handler)

        assert done == ["greeted", "apologized"]


class TestTwoAtOnce:
    def test_one_waits_for_the_other(self, stack: Stack) -> None:
        def be_asked_again() -> None:
            answers.append(worker.receives(stack, control_of(stack, "failure")))

        answers: list[Any] = []
        worker = Worker(NonRetryableError("no"), when_told=[be_asked_again])
        worker.receives(stack)

        worker.receives(stack, control_of(stack, "failure"))
        later = worker.receives(stack, control_of(stack, "failure"))

        assert (answers, later, len(worker.told)) == ([KEPT_BACK], DONE, 1)

    def test_of_a_workflow_leave_its_message_its_time(self, machine: Stack) -> None:
        """It may work as long as a step: shown again each minute, its message would soon be moved aside."""
        flow = Flow()
        flow.receives(machine)
        flow.ends(machine, "FAILED")
        shortened = len(machine.asked("ChangeMessageVisibility"))

        flow.works_off(machine)

        assert len(flow.told) == 1
        assert len(machine.asked("ChangeMessageVisibility")) == shortened


class TestWhatIsNotTold:
    @pytest.mark.parametrize("body", [envelope(data={"name": 7}), "garbage"])
    def test_an_event_that_is_none_to_on_failure(self, stack: Stack, body: str) -> None:
        worker = Worker(when_told=[])

        worked_off(stack, worker, body)

        assert worker.told == []
        assert len(stack.news()) == len(stack.dead_letters()) == 1

    def test_a_failure_over_a_failure_to_the_bus(self, stack: Stack) -> None:
        class Failed(Event):
            event_name: ClassVar[str] = "nightshift/function.failed"

        told: list[Failure] = []
        task = Task("demo-greet", trigger=Failed, attempts=1)
        task(_raise)
        task.on_failure(lambda _event, failure: told.append(failure))

        task.handler(stack.message(envelope(**{"detail-type": "nightshift/function.failed"})), Context())
        stack.work_off(task.handler)

        assert stack.news() == []
        assert (len(told), len(stack.dead_letters())) == (1, 1)
        assert stack.row("demo-greet").failure == "handled"

    def test_a_good_end_to_anybody(self, stack: Stack) -> None:
        worker = Worker("done", when_told=[])

        worked_off(stack, worker, envelope())

        assert (worker.told, stack.news(), stack.dead_letters()) == ([], [], [])


class TestADeadLetterSentBack:
    def test_starts_the_next_generation_and_twice_is_one_run(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), "done")
        worked_off(stack, worker, envelope())
        [dead] = stack.dead_letters()

        worked_off(stack, worker, dead["Body"], dead["Body"])

        assert [run.id for run in worker.runs] == [RUN, RunId(RUN.uuid, 1)]
        assert stack.row("demo-greet", generation=1).status == "completed"
        assert stack.row("demo-greet").status == "failed"

    def test_that_fails_again_leads_to_the_one_after(self, stack: Stack) -> None:
        worker = Worker(*[NonRetryableError("no")] * 2, "done")
        worked_off(stack, worker, envelope())
        for _ in range(2):
            dead = stack.dead_letters()[-1]
            worked_off(stack, worker, dead["Body"])

        assert [run.id.generation for run in worker.runs] == [0, 1, 2]
        assert [json.loads(each["Body"])["detail"]["metadata"]["generation"] for each in stack.dead_letters()] == []

    def test_of_a_large_event_has_all_of_it(self, stack: Stack) -> None:
        worker = Worker(NonRetryableError("no"), "done")
        worked_off(stack, worker, envelope(data={"name": "x" * 300_000}))
        [dead] = stack.dead_letters()

        worked_off(stack, worker, dead["Body"])

        assert [len(event.name) for event in worker.events] == [300_000, 300_000]


def _raise(_event: Any, _run: Any) -> None:
    raise ValueError("no")


def _fail_execution(run: str) -> None:
    [execution] = [each for each in executions() if each["name"] == run]
    detail = {"executionArn": execution["executionArn"], "name": run, "status": "FAILED", "error": "E"}
    record_end(ExecutionEnded.model_validate(detail | {"startDate": 1_772_341_200_000, "stopDate": 1_772_341_260_500}))


def _dead_letters_of(stack: Stack, run: str) -> list[str]:
    sent = [call for name, call in stack.done if name == "SendMessage" and call["QueueUrl"] == stack.dead_letters_url]
    return [call["MessageBody"] for call in sent if call["MessageAttributes"]["RunId"]["StringValue"] == run]
