from __future__ import annotations

import json

import pytest

from shared.engine.arrival import Arrival, arrive, data_of, refuse_message
from shared.engine.errors import InvalidMessageError
from shared.engine.identity import RunId
from shared.engine.inbox import Message
from shared.engine.ledger import ledger
from shared.engine.payloads import full
from tests.factories import Greeted, envelope
from tests.stack import Stack

REFUSED_RUN = RunId.of("demo-greet", "sqs:message-1")


def message(body: str) -> Message:
    return Message(id="message-1", body=body, receipt_handle="handle", receive_count=1)


def arrived(body: str) -> Arrival:
    return arrive("demo-greet", Greeted, message(body))


def refused(body: str) -> None:
    with pytest.raises(InvalidMessageError) as raised:
        arrived(body)
    refuse_message("demo-greet", message(body), raised.value)


@pytest.mark.parametrize(("metadata", "run"), [({}, ""), ({"generation": 2}, "-2")])
def test_names_the_run_that_a_message_asks_for(stack: Stack, metadata: dict[str, int], run: str) -> None:
    arrival = arrived(envelope(metadata=metadata))

    assert str(arrival.run) == f"{RunId.of('demo-greet', 'event-1')}{run}"


def test_begins_the_row_with_the_whole_event(stack: Stack) -> None:
    row = arrived(envelope(data={"name": "Zé", "more": [1]})).row("accepted", attempts=1)

    assert (row.function, row.status, row.attempts) == ("demo-greet", "accepted", 1)
    assert row.accepted_at == "2026-03-01T05:00:00.000Z"
    assert json.loads(row.event)["detail"]["data"] == {"name": "Zé", "more": [1]}


def test_begins_the_row_of_a_large_event_with_a_reference(stack: Stack) -> None:
    body = envelope(data={"name": "x" * 900_000}, metadata={"ts": 4_000_000_000_000})

    row = arrived(body).row("accepted")

    assert len(row.event) < 1_000
    assert full(row.envelope).detail.data == {"name": "x" * 900_000}
    assert arrived(body).row("accepted") == row


def test_refuses_an_event_that_is_too_large_beside_its_data(stack: Stack) -> None:
    with pytest.raises(InvalidMessageError, match="beside its data"):
        arrived(envelope(metadata={"actor": "x" * 300_000}))

    assert stack.calls == []


def test_writes_the_same_row_for_the_same_event(stack: Stack) -> None:
    event = json.loads(envelope())
    in_another_order = json.dumps(dict(reversed(event.items())), indent=2)

    assert arrived(in_another_order).row("accepted") == arrived(json.dumps(event)).row("accepted")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("{", "unknown"),
        ("7", "unknown"),
        ('{"detail-type": ""}', "unknown"),
        ('{"detail-type": ["demo/greeted"]}', "unknown"),
        ('{"detail-type": "demo/greeted"}', "demo/greeted"),
        (json.dumps({"detail-type": "x" * 500}), "x" * 128),
    ],
)
def test_tells_the_name_of_a_refused_event_as_far_as_it_can(stack: Stack, body: str, name: str) -> None:
    refused(body)

    row = ledger().get(REFUSED_RUN)
    assert row is not None
    assert (row.event_name, row.status, row.failure) == (name, "failed", "pending")


def test_refuses_a_message_once_however_often_it_is_delivered(stack: Stack) -> None:
    for _ in range(3):
        refused("{")

    assert len(stack.dead_letters()) == 1


def test_has_a_refusal_told_though_its_worker_died_before_it_could_ask_for_it(stack: Stack) -> None:
    refused("{")
    [asked] = stack.inbox()  # and gone, as if it had never been sent

    refused("{")

    assert stack.inbox() == [asked] == [{"nightshift": "failure", "run": str(REFUSED_RUN)}]


def test_puts_a_refused_message_aside_before_anybody_can_tell_of_it_without_the_message(stack: Stack) -> None:
    refused("{")

    written = [name for name, _ in stack.calls if name in {"PutItem", "SendMessage"}]
    assert written == ["SendMessage", "PutItem", "SendMessage"]


def test_puts_a_large_events_data_into_the_payload_bucket(stack: Stack) -> None:
    arrival = arrived(envelope(data={"name": "€" * 100_000}))

    row = arrival.row("accepted")

    assert len(row.event.encode()) < 10_000
    assert data_of(row.envelope, Greeted).name == "€" * 100_000
