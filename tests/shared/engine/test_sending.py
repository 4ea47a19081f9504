from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from shared import aws
from shared.engine import Run, emit, fan_out
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.engine.payloads import LIMIT, full
from shared.engine.sending import NotSentError
from tests.factories import Greeted, envelope
from tests.stack import Stack


def run(generation: int = 0) -> Run:
    return Run(RunId.of("demo", "event-1", generation), "demo", Envelope.parse(envelope()))


def greetings(count: int, name: str = "Ada") -> Iterator[tuple[str, Greeted]]:
    return ((str(number), Greeted(name=name)) for number in range(count))


def test_sends_ten_messages_a_request(stack: Stack) -> None:
    sent = fan_out(run(), stack.inbox_url, greetings(25))

    assert sent == 25
    assert [len(call["Entries"]) for call in stack.asked("SendMessageBatch")] == [10, 10, 5]


def test_sends_nothing_for_nothing(stack: Stack) -> None:
    assert fan_out(run(), stack.inbox_url, []) == 0
    assert emit(run(), []) == 0
    assert stack.calls == []


def test_makes_a_request_no_larger_than_aws_takes(stack: Stack) -> None:
    sent = fan_out(run(), stack.inbox_url, greetings(4, name="x" * 150_000))

    assert sent == 4
    sizes = [sum(len(e["MessageBody"]) for e in call["Entries"]) for call in stack.asked("SendMessageBatch")]
    assert all(size <= 1_048_576 for size in sizes)


def test_sends_the_same_ids_again(stack: Stack) -> None:
    fan_out(run(), stack.inbox_url, greetings(3))
    first = {message["detail"]["metadata"]["id"] for message in stack.inbox()}
    fan_out(run(), stack.inbox_url, greetings(3))
    second = {message["detail"]["metadata"]["id"] for message in stack.inbox()}

    assert first == second
    assert len(first) == 3


def test_sends_other_ids_in_another_generation(stack: Stack) -> None:
    fan_out(run(), stack.inbox_url, greetings(1))
    fan_out(run(generation=1), stack.inbox_url, greetings(1))

    assert len({message["detail"]["metadata"]["id"] for message in stack.inbox()}) == 2


def test_sends_by_reference_what_no_queue_would_take(stack: Stack) -> None:
    fan_out(run(), stack.inbox_url, greetings(2, name="x" * 2_000_000))

    messages = stack.inbox()
    assert all(len(json.dumps(message)) < LIMIT for message in messages)
    assert [full(Envelope.parse(json.dumps(message))).detail.data for message in messages] == [
        {"name": "x" * 2_000_000}
    ] * 2
    assert len(stack.payloads()) == 1


def test_puts_a_reference_on_the_bus_too(stack: Stack) -> None:
    emit(run(), greetings(1, name="x" * 2_000_000))

    [call] = stack.asked("PutEvents")
    [entry] = call["Entries"]
    assert len(entry["Detail"]) < LIMIT
    assert [f"payloads/{json.loads(entry['Detail'])['metadata']['payload']['sha256']}"] == stack.payloads()


def test_passes_on_the_time_of_its_own_event(stack: Stack) -> None:
    fan_out(run(), stack.inbox_url, greetings(1))

    [message] = stack.inbox()
    assert message["time"] == "2026-03-01T04:00:00.000Z"
    assert message["source"] == "nightshift.demo"
    assert message["detail-type"] == "demo/greeted"


def test_passes_values_on_as_they_were_read(stack: Stack) -> None:
    fan_out(run(), stack.inbox_url, [("1", Greeted.as_read(name=None))])

    [message] = stack.inbox()
    assert message["detail"]["data"] == {"name": None}


def test_draws_events_only_as_it_sends_them(stack: Stack) -> None:
    drawn = 0

    def endless() -> Iterator[tuple[str, Greeted]]:
        nonlocal drawn
        while True:
            drawn += 1
            if len(stack.asked("SendMessageBatch")) == 3:
                return
            yield str(drawn), Greeted(name="Ada")

    fan_out(run(), stack.inbox_url, endless())

    assert drawn <= 41


class Refusing:
    """Makes AWS refuse the first entry of the next `times` answers, on the wire."""

    def __init__(self, service: str, operation: str, times: int) -> None:
        self._left = times
        client: Any = aws.client(service)  # type: ignore[call-overload] # one of the literals
        client.meta.events.register(f"after-call.{service}.{operation}", self._refuse)

    def _refuse(self, parsed: dict[str, Any], **_: Any) -> None:
        if self._left == 0:
            return
        self._left -= 1
        if "Successful" in parsed:
            refused = parsed["Successful"].pop(0)
            parsed["Failed"] = [{"Id": refused["Id"], "Code": "InternalError", "SenderFault": False}]
        else:
            parsed["Entries"][0] = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}


def test_offers_again_what_the_queue_did_not_take(stack: Stack) -> None:
    Refusing("sqs", "SendMessageBatch", 2)

    sent = fan_out(run(), stack.inbox_url, greetings(3))

    assert sent == 3
    assert [len(call["Entries"]) for call in stack.asked("SendMessageBatch")] == [3, 1, 1]


def test_offers_again_what_the_bus_did_not_take(stack: Stack) -> None:
    Refusing("events", "PutEvents", 1)

    sent = emit(run(), greetings(12))

    assert sent == 12
    assert [len(call["Entries"]) for call in stack.asked("PutEvents")] == [10, 1, 2]


def test_raises_when_some_are_never_taken(stack: Stack) -> None:
    Refusing("events", "PutEvents", 100)

    with pytest.raises(NotSentError, match="1 of 2"):
        emit(run(), greetings(2))


def test_puts_the_envelope_on_the_bus(stack: Stack) -> None:
    events = boto3.client("events")
    events.put_rule(Name="all", EventBusName="test", EventPattern=json.dumps({"source": [{"prefix": ""}]}))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{stack.inbox_url.rsplit('/', 1)[1]}"
    events.put_targets(Rule="all", EventBusName="test", Targets=[{"Id": "inbox", "Arn": arn}])

    emit(run(), greetings(1))

    [message] = stack.inbox()
    assert message["detail-type"] == "demo/greeted"
    assert message["detail"] == {"data": {"name": "Ada"}, "metadata": {"id": run().id.event_id("0")}}
    assert Envelope.parse(json.dumps(message)).event_time == run().event_time
