from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from shared import clock
from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError
from shared.engine.identity import RunId
from shared.engine.recorder import RecordedEvent, record
from shared.engine.row import SHARDS
from tests.factories import envelope
from tests.reconciling import TASK, WORKFLOW, Deployed, came


def items() -> list[Any]:
    return boto3.client("dynamodb").scan(TableName="test_ledger")["Items"]


def test_keeps_the_event_with_the_runs_that_it_should_have(deployed: Deployed) -> None:
    event = came(name="demo/met")

    [item] = items()
    read = RecordedEvent.read(item)
    assert (read.id, read.name, read.generation) == ("event-1", "demo/met", 0)
    assert read.expected == {TASK: RunId.of(TASK, "event-1"), WORKFLOW: RunId.of(WORKFLOW, "event-1")}
    assert Envelope.parse(read.event) == event


def test_is_looked_at_when_its_runs_should_long_have_begun(deployed: Deployed) -> None:
    came()

    assert list(deployed.open_items().values()) == ["2026-03-01T05:05:00.000Z"]


def test_an_event_for_nobody_is_kept_and_never_looked_at(deployed: Deployed) -> None:
    came(name="demo/unheard")

    assert len(items()) == 1
    assert deployed.open_items() == {}


def test_lives_as_long_as_a_run(deployed: Deployed) -> None:
    came()

    [item] = items()
    assert int(item["expires"]["N"]) == (clock.now() + timedelta(days=100)).timestamp()


def test_a_second_delivery_changes_nothing(deployed: Deployed) -> None:
    event = came()
    before = items()
    deployed.stack.advance(minutes=3)

    is_news = record(event)

    assert is_news is False
    assert items() == before


def test_events_of_two_names_may_share_an_id(deployed: Deployed) -> None:
    came("order-1", "demo/greeted")
    came("order-1", "demo/met")

    assert sorted(item["event_name"]["S"] for item in items()) == ["demo/greeted", "demo/met"]


def test_generations_are_expected_each(deployed: Deployed) -> None:
    for generation in (0, 1):
        record(Envelope.parse(envelope(metadata={"generation": generation})))

    expected = sorted(RecordedEvent.read(item).expected[TASK] for item in items())
    assert expected == [RunId.of(TASK, "event-1"), RunId.of(TASK, "event-1", 1)]


@pytest.mark.parametrize(
    "event_id",
    [
        "\N{HATCHING CHICK}" * 512,
        "a b\n\t/#:'\"\\",
        "\x00",
        "\u202etxt",
        "x" * 512,
        "event#event-1",
        "\u00e9",
        "e\u0301",
    ],
    ids=["4-byte", "odd", "NUL", "right-to-left", "long", "our-prefix", "composed", "decomposed"],
)
def test_any_id_that_an_event_may_have_can_be_recorded(deployed: Deployed, event_id: str) -> None:
    came(event_id)

    [item] = items()
    assert RecordedEvent.read(item).expected == {TASK: RunId.of(TASK, event_id)}
    assert len(deployed.open_items()) == 1


def test_ids_that_look_alike_are_two(deployed: Deployed) -> None:
    for event_id in ("\u00e9", "e\u0301", "a", "A", "a ", " a"):
        came(event_id)

    assert len(items()) == 6


def test_a_large_event_travels_by_reference_as_it_does_everywhere(deployed: Deployed) -> None:
    came(data={"name": "x" * 600_000})

    [item] = items()
    [key] = deployed.stack.payloads()
    assert Envelope.parse(item["event"]["S"]).detail.metadata.payload is not None
    assert len(item["event"]["S"]) < 1_000
    assert key.startswith("payloads/")


def test_refuses_an_event_that_no_queue_takes(deployed: Deployed) -> None:
    event = Envelope.parse(envelope(metadata={"note": "x" * 250_000}))

    with pytest.raises(InvalidMessageError, match="beside its data"):
        record(event)


def test_unfinished_events_are_spread_over_all_of_the_index(deployed: Deployed) -> None:
    for number in range(200):
        came(f"event-{number}")

    assert {item["open_shard"]["S"] for item in items()} == {f"open#{shard}" for shard in SHARDS}
