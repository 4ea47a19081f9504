from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from pydantic import BaseModel

from shared.engine import NonRetryableError, RetryAfter, Run, Workflow
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from tests.factories import Context, Greeted, envelope
from tests.machine import executions
from tests.stack import Stack
from tests.worker import DONE, KEPT_BACK


class Greeting(BaseModel):
    words: list[str]


workflow = Workflow("demo-greet", trigger=Greeted, attempts=3)
seen: list[Run] = []


@workflow.step
def compose(event: Greeted, times: int, run: Run) -> Greeting:
    seen.append(run)
    return Greeting(words=[event.name] * times)


@workflow.step
def refuse(why: str) -> None:
    class TooRudeError(NonRetryableError):
        pass

    raise TooRudeError(why)


@workflow.step
def stumble(event: Greeted) -> None:
    raise ConnectionError("the service is away")


@workflow.step(retry_after=True, once="stop")
def postpone(event: Greeted) -> None:
    raise RetryAfter(30)


sent: list[str] = []


@workflow.step(once="stop")
def send(event: Greeted, to: str) -> int:
    sent.append(to)
    return len(sent)


def call(step: str, *, attempt: int = 0, run: str = str(RunId.of("demo-greet", "event-1")), **given: Any) -> Any:
    event = json.loads(envelope())
    return workflow.handler(
        {"step": step, "run": run, "attempt": attempt, "input": {"event": event} | given}, Context()
    )


class TestSteps:
    def test_validates_its_input_and_serializes_its_result(self, stack: Stack) -> None:
        assert call("compose", times=2) == {"words": ["Ada", "Ada"]}

    def test_is_told_its_run_and_its_attempt(self, stack: Stack) -> None:
        call("compose", attempt=2, times=1)

        run = seen[-1]
        assert (run.attempt, run.step, run.function) == (3, "compose", "demo-greet")
        assert run.id == RunId.of("demo-greet", "event-1")
        assert run.remaining().total_seconds() == 60

    def test_can_be_called_as_the_function_that_it_is(self) -> None:
        with pytest.raises(ConnectionError):
            stumble(Greeted(name="Ada"))

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({}, "takes"),
            ({"times": 1, "more": 2}, "takes"),
            ({"times": "many"}, "times: data"),
        ],
    )
    def test_refuses_an_input_that_does_not_fit(self, stack: Stack, given: dict[str, Any], reason: str) -> None:
        with pytest.raises(NonRetryableError, match=reason):
            call("compose", **given)

    def test_does_an_effect_once_for_each_input(self, stack: Stack) -> None:
        sent.clear()

        results = [call("send", to=to, attempt=attempt) for attempt in (0, 1) for to in ("ada", "bob")]

        assert (results, sent) == ([1, 2, 1, 2], ["ada", "bob"])

    def test_refuses_an_unknown_step(self, stack: Stack) -> None:
        with pytest.raises(NonRetryableError, match="has no step 'compsoe'"):
            call("compsoe")

    @pytest.mark.parametrize("event", [None, {}, [], "x", {"step": "compose"}, {"Records": 7}])
    def test_refuses_what_is_no_step_call(self, stack: Stack, event: Any) -> None:
        with pytest.raises(NonRetryableError, match="not a step call"):
            workflow.handler(event, Context())

    def test_refuses_a_run_that_is_none(self, stack: Stack) -> None:
        with pytest.raises(NonRetryableError, match="not a run id"):
            call("compose", run="by-hand", times=1)

    def test_answers_a_subclass_under_the_name_that_a_retry_matches(self, stack: Stack) -> None:
        with pytest.raises(NonRetryableError, match="TooRudeError: why not") as raised:
            call("refuse", why="why not")

        assert type(raised.value) is NonRetryableError

    def test_leaves_other_errors_their_own_names(self, stack: Stack) -> None:
        with pytest.raises(ConnectionError, match="away"):
            call("stumble")


class TestAdmission:
    def test_starts_an_execution_named_after_the_run(self, machine: Stack) -> None:
        answer = workflow.handler(machine.message(envelope()), Context())

        assert answer == DONE
        [execution] = executions()
        row = machine.row("demo-greet")
        assert execution["name"] == str(row.id)
        assert (row.status, row.attempts) == ("running", 1)
        assert json.loads(execution["input"])["event"]["detail"] == json.loads(envelope())["detail"]

    def test_starts_one_execution_however_often_it_is_delivered(self, machine: Stack) -> None:
        answers = [workflow.handler(machine.message(envelope()), Context()) for _ in range(3)]

        assert answers == [DONE] * 3
        assert len(executions()) == 1

    def test_goes_on_where_its_predecessor_died_before_the_start(self, machine: Stack) -> None:
        workflow.handler(machine.message(envelope()), Context())
        [execution] = executions()
        boto3.client("dynamodb").update_item(
            TableName="test_ledger",
            Key={"pk": {"S": f"run#{execution['name']}"}, "sk": {"N": "0"}},
            UpdateExpression="SET #s = :a",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":a": {"S": "accepted"}},
        )

        answer = workflow.handler(machine.message(envelope(), receives=2), Context())

        assert answer == DONE
        assert len(executions()) == 1
        assert machine.row("demo-greet").status == "running"

    def test_gives_the_same_input_each_time(self, machine: Stack) -> None:
        row_before = workflow.handler(machine.message(envelope(metadata={"ts": 4_000_000_000_000})), Context())
        [first] = executions()
        machine.advance(hours=3)
        workflow.handler(machine.message(envelope(metadata={"ts": 4_000_000_000_000}), receives=2), Context())

        assert row_before == DONE
        assert [each["input"] for each in executions()] == [first["input"]]
        assert json.loads(first["input"])["event"]["time"] == "2026-03-01T05:00:00.000Z"

    def test_shortens_the_wait_for_a_second_delivery_first(self, machine: Stack) -> None:
        workflow.handler(machine.message(envelope()), Context())

        assert machine.calls[0][0] == "ChangeMessageVisibility"
        assert machine.calls[0][1]["VisibilityTimeout"] == 60

    def test_refuses_data_that_the_event_does_not_allow(self, machine: Stack) -> None:
        answer = workflow.handler(machine.message(envelope(data={})), Context())

        assert answer == DONE
        machine.work_off(workflow.handler)
        row = machine.row("demo-greet")
        assert (row.status, row.failure) == ("failed", "handled")
        assert executions() == []
        assert len(machine.dead_letters()) == 1

    def test_keeps_the_message_back_while_the_machine_is_away(self, stack: Stack) -> None:

        first = workflow.handler(stack.message(envelope()), Context())

        assert first == KEPT_BACK
        assert stack.row("demo-greet").status == "accepted"

    def test_fails_when_it_could_not_start_in_all_attempts(self, stack: Stack) -> None:

        answers = [workflow.handler(stack.message(envelope(), receives=n), Context()) for n in (1, 2, 3)]

        assert answers == [KEPT_BACK, KEPT_BACK, DONE]
        row = stack.row("demo-greet")
        assert row.status == "failed"
        assert row.error is not None
        assert row.error["type"] == "StateMachineDoesNotExist"
        stack.work_off(workflow.handler)
        assert len(stack.dead_letters()) == 1

    def test_tells_a_failure_that_its_worker_could_not_tell(self, machine: Stack) -> None:
        workflow.handler(machine.message(envelope(data={})), Context())
        assert len(machine.inbox()) == 1  # and gone, as if it had never been sent

        workflow.handler(machine.message(envelope(data={}), receives=2), Context())
        machine.work_off(workflow.handler)

        assert machine.row("demo-greet").failure == "handled"

    def test_starts_the_next_generation_beside_the_first(self, machine: Stack) -> None:
        workflow.handler(machine.message(envelope()), Context())
        workflow.handler(machine.message(envelope(metadata={"generation": 1})), Context())

        assert len(executions()) == 2
        assert ledger().get(RunId.of("demo-greet", "event-1", 1)) is not None


def test_a_step_that_asks_for_a_later_time_fails_by_that_name_and_says_when(stack: Stack) -> None:
    with pytest.raises(RetryAfter) as told:
        call("postpone")

    assert (type(told.value).__name__, str(told.value)) == ("RetryAfter", '{"seconds": 30}')


def test_a_step_keeps_what_its_author_declared() -> None:
    bare, declared = workflow.steps["compose"], workflow.steps["postpone"]

    assert (bare.retry_after, bare.once) == (False, None)
    assert (declared.retry_after, declared.once) == (True, "stop")
    assert postpone.__name__ == "postpone"
