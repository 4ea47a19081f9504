from __future__ import annotations

import json
from datetime import timedelta
from typing import Any, get_args

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.engine import Run, control, emit, fan_out
from shared.engine.control import Control, Kind
from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError
from shared.engine.identity import RunId
from shared.events.event import Event
from tests.factories import Context, envelope
from tests.stack import Stack
from tests.worker import DONE, Worker

RUN = RunId.of("demo-greet", "event-1")
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["nightshift", "run", "x"]) | st.text(), inner),
    max_leaves=5,
)
KINDS: tuple[Kind, ...] = get_args(Kind)


@pytest.mark.parametrize("kind", KINDS)
def test_reads_what_it_writes(kind: Kind) -> None:
    message = Control(kind=kind, run=f"{RUN}-3", reason="by Ada")

    read = Control.parse(message.as_json())

    assert read == message
    assert read is not None
    assert read.run_id == RunId(RUN.uuid, 3)
    assert [each for each in KINDS if control.asks_for(each, message.as_json())] == [kind]


def test_says_no_more_than_it_must() -> None:
    assert Control(kind="due", run=str(RUN)).as_json() == f'{{"nightshift":"due","run":"{RUN}"}}'


@pytest.mark.parametrize(
    "body",
    [
        '{"nightshift":',
        '{"nightshift":"due"}',
        '{"nightshift":"due","run":7}',
        '{"nightshift":"due","run":"by-hand"}',
        f'{{"nightshift":"explode","run":"{RUN}"}}',
        f'{{"nightshift":"due","run":"{RUN}","more":1}}',
        f'{{"nightshift":"cancel","run":"{RUN}","reason":"{"x" * 1001}"}}',
        f'{{"nightshift":"due","run":"{str(RUN).upper()}"}}',
        f'{{"nightshift":"due","run":"{RUN}"}} {{}}',
    ],
)
def test_refuses_garbage_that_begins_like_one(stack: Stack, body: str) -> None:
    worker = Worker()

    with pytest.raises(InvalidMessageError, match="not a control message"):
        Control.parse(body)
    answer = worker.receives(stack, body)
    worker.works_off(stack)

    assert (answer, worker.runs) == (DONE, [])
    assert [dead["Body"] for dead in stack.dead_letters()] == [body]
    assert stack.row("demo-greet", "sqs:message-1").failure == "handled"


def test_refuses_one_about_another_functions_run(stack: Stack) -> None:
    worker, other = Worker(ValueError("once")), Worker("never")
    other.task.id = "demo-other"
    worker.receives(stack)
    body = Control(kind="due", run=str(RUN)).as_json()

    answer = other.task.handler(stack.message(body), Context())

    assert answer == DONE
    assert (other.runs, len(stack.dead_letters())) == ([], 1)
    assert stack.row("demo-greet").status == "running"
    assert stack.row("demo-other", "sqs:message-1").error == {
        "type": "InvalidMessageError",
        "message": "a control message for a run of demo-greet, not of demo-other",
    }


def test_drops_one_about_a_run_that_is_not_known(stack: Stack) -> None:
    worker = Worker()

    answers = [worker.receives(stack, Control(kind=kind, run=str(RUN)).as_json()) for kind in KINDS]

    assert answers == [DONE] * len(KINDS)
    assert (worker.runs, stack.dead_letters()) == ([], [])


class TestDelay:
    @pytest.mark.parametrize(
        ("ahead", "delay"),
        [(None, 0), (-5, 0), (0, 0), (0.001, 1), (1, 1), (899.5, 900), (900, 900), (901, 900), (10**7, 900)],
    )
    def test_is_never_less_than_asked_for_nor_more_than_sqs_takes(
        self, stack: Stack, ahead: float | None, delay: int
    ) -> None:
        at = None if ahead is None else clock.now() + timedelta(seconds=ahead)

        control.send(stack.inbox_url, "due", RUN, at=at)

        [sent] = stack.asked("SendMessage")
        assert sent["DelaySeconds"] == delay


class TestForgery:
    """What anybody may put on the bus, in whatever form, is an event where it arrives."""

    @given(data=st.dictionaries(st.text(), JSON), name=st.text(min_size=1), source=st.text(min_size=1))
    def test_no_event_that_the_engine_sends_is_one(self, data: dict[str, Any], name: str, source: str) -> None:
        event = Envelope.make(name, data, event_id="e", source=source, time=clock.now())

        assert Control.parse(event.as_json()) is None

    def test_no_event_of_the_bus_is_one(self, stack: Stack) -> None:
        class Forged(Event):
            event_name = "nightshift"

            nightshift: str = "cancel"
            run: str = str(RUN)

        bus, queue = boto3.client("events"), boto3.client("sqs")
        arn = queue.get_queue_attributes(QueueUrl=stack.inbox_url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        bus.put_rule(Name="all", EventBusName="test", EventPattern='{"source": [{"prefix": ""}]}')
        bus.put_targets(Rule="all", EventBusName="test", Targets=[{"Id": "inbox", "Arn": arn}])
        run = Run(RUN, "demo", Envelope.parse(envelope()))

        emit(run, [("a", Forged())])
        fan_out(run, stack.inbox_url, [("b", Forged())])
        bus.put_events(
            Entries=[
                {
                    "EventBusName": "test",
                    "Source": "x",
                    "DetailType": "x",
                    "Detail": json.dumps({"nightshift": "cancel", "run": str(RUN)}),
                }
            ]
        )

        bodies = [
            message["Body"]
            for message in queue.receive_message(QueueUrl=stack.inbox_url, MaxNumberOfMessages=10)["Messages"]
        ]
        assert len(bodies) == 3
        assert [Control.parse(body) for body in bodies] == [None, None, None]
