from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from shared import aws
from shared.engine import RateLimit, Task, Throttle, Timeouts, Workflow
from shared.engine.admission import Admission
from tests.dying import dying_at
from tests.effects import DiedError
from tests.factories import Context, Greeted, envelope
from tests.machine import Flow, executions, make_machine
from tests.simulated_inbox import SimulatedInbox
from tests.stack import START, Stack
from tests.worker import DONE, KEPT_BACK, Worker

ONE_A_MINUTE = Throttle(1, "1m")


def event(number: int, **overrides: Any) -> str:
    return envelope(metadata={"id": f"event-{number}"}, **overrides)


def reserved() -> dict[str, str]:
    """Which run has the last slot of each key."""
    items: Any = boto3.client("dynamodb").scan(TableName="test_flow")["Items"]
    return {item["pk"]["S"]: item["run"]["S"] for item in items}


def tats() -> dict[str, str]:
    items: Any = boto3.client("dynamodb").scan(TableName="test_flow")["Items"]
    return {item["pk"]["S"]: item["tat"]["N"] for item in items}


class TestThrottle:
    def test_lets_a_run_start_at_once_and_the_next_one_wait_for_its_slot(self, stack: Stack) -> None:
        worker = Worker(throttle=ONE_A_MINUTE)

        answers = [worker.receives(stack, event(number)) for number in range(3)]

        assert answers == [DONE] * 3
        assert [run.event_id for run in worker.runs] == ["event-0"]
        rows = [stack.row("demo-greet", f"event-{number}") for number in range(3)]
        assert [(row.status, row.attempts) for row in rows] == [("completed", 1), ("waiting", 0), ("waiting", 0)]
        assert [row.slot for row in rows[1:]] == [
            round((START + timedelta(minutes=number)).timestamp() * 1000) for number in (1, 2)
        ]
        assert [call["DelaySeconds"] for call in stack.asked("SendMessage")] == [60, 120]

    def test_asks_only_the_key_of_the_event(self, stack: Stack) -> None:
        worker = Worker(throttle=Throttle(1, "1m", key="name"))

        worker.receives(stack, event(1, data={"name": "Ada"}))
        worker.receives(stack, event(2, data={"name": "Bo"}))

        assert len(worker.runs) == 2

    def test_lets_nobody_wait_for_the_millisecond_that_has_begun(self, stack: Stack) -> None:
        stack.advance(microseconds=700)
        worker = Worker(throttle=ONE_A_MINUTE)

        worker.receives(stack)

        assert len(worker.runs) == 1

    def test_gives_a_run_that_cannot_be_read_no_slot(self, stack: Stack) -> None:
        worker = Worker(throttle=ONE_A_MINUTE)

        answer = worker.receives(stack, event(1, data={"name": 7}))

        row = stack.row("demo-greet")
        assert (answer, row.status, row.started_at, reserved()) == (DONE, "failed", None, {})

    def test_fails_a_run_whose_payload_is_gone(self, stack: Stack) -> None:
        def lose_payload(when: str, operation: str) -> None:
            if (when, operation) == ("after", "PutObject"):
                boto3.client("s3").delete_object(Bucket="test-payloads", Key=stack.payloads()[0])

        stack.interrupt = lose_payload
        worker = Worker(throttle=ONE_A_MINUTE)

        answer = worker.receives(stack, envelope(data={"name": "x" * 300_000}))
        worker.works_off(stack)

        row = stack.row("demo-greet")
        assert (answer, row.status, row.failure) == (DONE, "failed", "handled")
        assert row.error is not None
        assert row.error["type"] == "PayloadLostError"
        [news] = stack.news()
        assert news["data"]["event"]["data"] == {}

    def test_keeps_the_message_back_while_the_table_is_away(self, stack: Stack) -> None:
        aws.client("dynamodb").delete_table(TableName="test_flow")
        worker = Worker(throttle=ONE_A_MINUTE)

        assert worker.receives(stack) == KEPT_BACK
        assert stack.row("demo-greet").status == "accepted"


class TestRateLimit:
    def test_skips_what_comes_too_fast_and_tells_nobody(self, stack: Stack) -> None:
        worker = Worker(rate_limit=RateLimit(1, "1h"))

        worker.receives(stack, event(1))
        answer = worker.receives(stack, event(2))

        row = stack.row("demo-greet", "event-2")
        assert (answer, row.status, row.failure, len(worker.runs)) == (DONE, "skipped", None, 1)
        assert row.error == {"type": "RateLimitError", "message": "more than 1 runs in 1:00:00 were asked for"}
        assert (stack.inbox(), stack.news(), row.is_unfinished) == ([], [], False)

    def test_drops_a_duplicate_of_a_run_that_it_skipped(self, stack: Stack) -> None:
        worker = Worker(rate_limit=RateLimit(1, "1h"))
        worker.receives(stack, event(1))
        worker.receives(stack, event(2))
        stack.advance(hours=2)

        worker.receives(stack, event(2))

        assert stack.row("demo-greet", "event-2").status == "skipped"
        assert len(worker.runs) == 1

    def test_comes_before_the_throttle_of_which_it_takes_no_slot(self, stack: Stack) -> None:
        worker = Worker(rate_limit=RateLimit(1, "1h"), throttle=ONE_A_MINUTE)

        worker.receives(stack, event(1))
        worker.receives(stack, event(2))

        first = str(stack.row("demo-greet", "event-1").id)
        assert set(reserved().values()) == {first}
        assert len(reserved()) == 2


class TestStartLimit:
    def test_cancels_what_could_not_start_in_time_which_takes_no_slot(self, stack: Stack) -> None:
        worker = Worker(throttle=ONE_A_MINUTE, timeouts=Timeouts(start="90s"))

        for number in range(3):
            worker.receives(stack, event(number))

        rows = [stack.row("demo-greet", f"event-{number}") for number in range(3)]
        assert [row.status for row in rows] == ["completed", "waiting", "cancelled"]
        assert rows[2].error == {
            "type": "StartTimeoutError",
            "message": "the run could not start within 0:01:30 of its acceptance",
        }
        assert list(reserved().values()) == [str(rows[1].id)]

    def test_is_told_as_a_cancellation_and_is_no_dead_letter(self, stack: Stack) -> None:
        worker = Worker(throttle=ONE_A_MINUTE, timeouts=Timeouts(start="30s"))
        worker.receives(stack, event(1))
        worker.receives(stack, event(2))

        worker.works_off(stack)

        assert [each["name"] for each in stack.news()] == ["nightshift/function.cancelled"]
        assert stack.dead_letters() == []
        assert stack.row("demo-greet", "event-2").failure == "handled"


class TestDeadWorkers:
    def test_leave_a_slot_that_the_run_asks_for_again_and_gets(self, stack: Stack) -> None:
        worker = Worker(throttle=Throttle(1, "1h"))
        with dying_at(stack, 3, "after"), pytest.raises(DiedError):  # PutItem, and two UpdateItem of the reservation
            worker.receives(stack)
        before = tats()
        assert before
        stack.advance(seconds=60)

        answer = worker.receives(stack, receives=2)

        assert (answer, len(worker.runs), before) == (DONE, 1, tats())

    def test_hold_an_admission_for_a_minute(self, stack: Stack) -> None:
        worker = Worker(throttle=ONE_A_MINUTE)
        with dying_at(stack, 2, "before"), pytest.raises(DiedError):
            worker.receives(stack)

        early = worker.receives(stack, receives=2)
        stack.advance(seconds=60)
        later = worker.receives(stack, receives=3)

        assert (early, later, len(worker.runs)) == (KEPT_BACK, DONE, 1)

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_at_any_call_of_an_admission_lose_no_run_and_start_none_too_early(self, stack: Stack, when: Any) -> None:
        for number in range(1, 12):
            worker = Worker(throttle=Throttle(1, "1m", key="name"))
            inbox = SimulatedInbox(stack, worker.task.handler)
            inbox.put(event(10 * number, data={"name": f"key {number}"}))
            inbox.work_off()
            inbox.put(event(10 * number + 1, data={"name": f"key {number}"}))

            with dying_at(stack, number, when) as death:
                lived = inbox.deliver(inbox.messages[0])
            inbox.work_off()
            row = stack.row("demo-greet", f"event-{10 * number + 1}")
            if row.status == "waiting":  # the due message went with its worker: the reconciler sends another
                inbox.put(f'{{"nightshift":"due","run":"{row.id}"}}')
                inbox.work_off()

            assert [run.event_id for run in worker.runs] == [f"event-{10 * number}", f"event-{10 * number + 1}"]
            started = [stack.row("demo-greet", run.event_id).time_of("started") for run in worker.runs]
            assert started[1] - started[0] >= timedelta(minutes=1)
            if lived:
                assert not death.happened
                return
        pytest.fail("the worker never lived to its end")


class TestAWorkflowThatCouldNotBeStarted:
    @pytest.mark.parametrize("policy", [{"throttle": Throttle(2, "1h")}, {"rate_limit": RateLimit(2, "1h")}])
    def test_keeps_its_place_though_others_come_meanwhile(self, stack: Stack, policy: Any) -> None:
        flow = Flow(**policy)
        first = flow.receives(stack, event(1))  # there is no machine yet
        before = tats()
        for number in (2, 3):
            flow.receives(stack, event(number))

        make_machine()
        stack.advance(seconds=60)
        again = flow.receives(stack, event(1), receives=2)

        assert (first, again) == (KEPT_BACK, DONE)
        row = stack.row("demo-greet", "event-1")
        assert (row.status, [each["name"] for each in executions()]) == ("running", [str(row.id)])
        assert before != tats()

    def test_asks_for_no_second_place(self, stack: Stack) -> None:
        flow = Flow(throttle=Throttle(2, "1h"))
        flow.receives(stack, event(1))
        flow.receives(stack, event(2))
        before = tats()

        for receives in (2, 3):
            flow.receives(stack, event(1), receives=receives)

        assert tats() == before
        assert stack.row("demo-greet", "event-1").status == "failed"

    def test_is_admitted_again_after_a_minute_when_its_worker_died(self, machine: Stack) -> None:
        flow = Flow(throttle=Throttle(2, "1h"))
        with dying_at(machine, 3, "before"), pytest.raises(DiedError):
            flow.receives(machine)

        machine.advance(seconds=60)
        again = flow.workflow.handler(machine.message(envelope(), receives=2), Context(milliseconds=900_000))

        assert (again, machine.row("demo-greet").status) == (DONE, "running")


@pytest.mark.parametrize(
    "policy", [{"throttle": Throttle(1, "1m", key="nme")}, {"rate_limit": RateLimit(1, "1m", key="nme")}]
)
@pytest.mark.parametrize("kind", [Task, Workflow])
def test_a_key_that_the_event_does_not_have_is_refused_when_the_function_is_made(kind: Any, policy: Any) -> None:
    with pytest.raises(ValueError, match="Greeted has no field 'nme'; it has name"):
        kind("demo-greet", trigger=Greeted, **policy)


def test_a_function_without_policies_is_free() -> None:
    assert Admission("demo-greet", Greeted, timeouts=Timeouts(finish="1m")).is_free
    assert not Admission("demo-greet", Greeted, throttle=ONE_A_MINUTE).is_free
