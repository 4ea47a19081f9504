from __future__ import annotations

import json

import pytest

from shared.engine.arrival import Arrival, arrive
from shared.engine.identity import RunId
from shared.engine.inbox import Message
from shared.engine.ledger import ledger
from tests.factories import Greeted, envelope
from tests.stack import Stack

REFUSED_RUN = RunId.of("demo-greet", "sqs:message-1")


def message(body: str) -> Message:
    return Message(id="message-1", body=body, receipt_handle="handle", receive_count=1)


def arrived(body: str) -> Arrival:
    arrival = arrive("demo-greet", Greeted, message(body))
    assert arrival is not None
    return arrival


@pytest.mark.parametrize(("metadata", "run"), [({}, ""), ({"generation": 2}, "-2")])
def test_names_the_run_that_a_message_asks_for(stack: Stack, metadata: dict[str, int], run: str) -> None:
    arrival = arrived(envelope(metadata=metadata))

    assert str(arrival.run) == f"{RunId.of('demo-greet', 'event-1')}{run}"


def test_begins_the_row_with_the_whole_event(stack: Stack) -> None:
    row = arrived(envelope(data={"name": "Zé", "more": [1]})).row("accepted", attempts=1)

    assert (row.function, row.status, row.attempts) == ("demo-greet", "accepted", 1)
    assert row.accepted_at == "2026-03-01T05:00:00.000Z"
    assert json.loads(row.event)["detail"]["data"] == {"name": "Zé", "more": [1]}


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
        (json.dumps({"detail-type": "x" * 500}), "x" * 200),
    ],
)
def test_tells_the_name_of_a_refused_event_as_far_as_it_can(stack: Stack, body: str, name: str) -> None:
    assert arrive("demo-greet", Greeted, message(body)) is None

    row = ledger().get(REFUSED_RUN)
    assert row is not None
    assert (row.event_name, row.status, row.failure) == (name, "failed", "handled")


def test_refuses_a_message_once_however_often_it_is_delivered(stack: Stack) -> None:
    for _ in range(3):
        assert arrive("demo-greet", Greeted, message("{")) is None

    assert len(stack.dead_letters()) == 1


def test_counts_an_events_size_in_bytes(stack: Stack) -> None:
    short_of_the_limit = 199_000 - len(envelope(data={"name": ""}))

    assert arrived(envelope(data={"name": "x" * short_of_the_limit}))
    assert arrive("demo-greet", Greeted, message(f'"{"€" * short_of_the_limit}"')) is None
    row = ledger().get(REFUSED_RUN)
    assert row is not None
    assert row.error is not None
    assert "over the limit of 200000" in row.error["message"]
