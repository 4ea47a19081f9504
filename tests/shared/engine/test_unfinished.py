from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from shared import aws, clock
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import SHARDS, row_of
from shared.engine.unfinished import PAGE, Item, Unfinished
from tests.reconciling import TASK, Deployed, answering
from tests.stack import START


def asked_keys(deployed: Deployed) -> list[int]:
    """How many keys each BatchGetItem asked for."""
    return [len(call["RequestItems"]["test_ledger"]["Keys"]) for call in deployed.stack.asked("BatchGetItem")]


def overdue(*, minutes: float = 10) -> list[Item]:
    return [item for page in Unfinished().overdue(clock.now() + timedelta(minutes=minutes)) for item in page]


def in_shard(shard: str) -> Iterator[str]:
    """Event ids whose runs stand under one key of the index."""
    numbers = (f"event-{number}" for number in range(100_000))
    return (each for each in numbers if RunId.of(TASK, each).uuid.startswith(shard))


def test_nothing_is_overdue_before_its_time(deployed: Deployed) -> None:
    deployed.put("accepted")

    assert overdue(minutes=4.99) == []
    assert len(overdue(minutes=5)) == 1


def test_what_is_over_costs_no_read(deployed: Deployed) -> None:
    for number in range(3):
        deployed.put("accepted", event_id=f"open-{number}")
    overdue()
    few = deployed.calls("Query"), asked_keys(deployed)

    for number in range(1000):
        deployed.put("completed", event_id=f"done-{number}")
    deployed.stack.calls.clear()
    found = overdue()

    assert len(found) == 3
    assert (deployed.calls("Query"), asked_keys(deployed)) == few
    assert few == (len(SHARDS), [3])


def test_finds_more_than_a_page_of_either_kind_holds(deployed: Deployed) -> None:
    # 100 keys are a BatchGetItem's limit; 1 MB is a Query's, which moto counts in whole items
    ids = [event_id for event_id, _ in zip(in_shard("7"), range(PAGE + 20), strict=False)]
    for event_id in ids:
        deployed.put("accepted", event_id=event_id, event="x" * 20_000)

    found = overdue()

    assert {row_of(item).event_id for item in found} == set(ids)
    assert len(found) == len(ids)
    assert deployed.calls("Query") > len(SHARDS)
    assert asked_keys(deployed) == [PAGE, 20]


def test_paging_goes_on_where_items_left_the_index_meanwhile(deployed: Deployed) -> None:
    ids = [event_id for event_id, _ in zip(in_shard("7"), range(PAGE + 20), strict=False)]
    for event_id in ids:
        deployed.put("accepted", event_id=event_id, event="x" * 20_000)
    unfinished = Unfinished()
    seen = []

    for page in unfinished.overdue(clock.now() + timedelta(minutes=10)):
        for item in page:
            seen.append(row_of(item).event_id)
            unfinished.settle(item)

    assert sorted(seen) == sorted(ids)
    assert overdue() == []


def test_an_item_that_the_index_names_twice_is_asked_for_once(deployed: Deployed) -> None:
    run = deployed.put("accepted")
    key = {"pk": {"S": f"run#{run.uuid}"}, "sk": {"N": "0"}}

    with answering("dynamodb", "Query", lambda: {"Items": [key, key], "Count": 2}):
        found = overdue()

    assert len(found) == 1


def test_what_was_driven_on_since_the_index_was_read_is_left_out(deployed: Deployed) -> None:
    ended, taken = deployed.put("running"), deployed.put("accepted", event_id="event-2")
    keys = [{"pk": {"S": f"run#{run.uuid}"}, "sk": {"N": "0"}} for run in (ended, taken)]
    ledger().complete(ended, output=None)
    row = ledger().get(taken)
    assert row is not None
    ledger().take(row, holder="w", lease=START + timedelta(minutes=15))

    with answering("dynamodb", "Query", lambda: {"Items": keys, "Count": 2}):
        found = overdue()

    assert found == []


def test_keys_that_dynamodb_did_not_get_to_are_asked_for_again(deployed: Deployed) -> None:
    for number in range(5):
        deployed.put("accepted", event_id=f"event-{number}")

    def hold_back(parsed: dict[str, Any], **_: Any) -> None:
        items = parsed["Responses"]["test_ledger"]
        if len(items) > 1:  # one an answer
            keys = [{"pk": item["pk"], "sk": item["sk"]} for item in items[1:]]
            parsed["UnprocessedKeys"] = {"test_ledger": {"Keys": keys, "ConsistentRead": True}}
            del items[1:]

    events = aws.client("dynamodb").meta.events
    events.register("after-call.dynamodb.BatchGetItem", hold_back)
    found = overdue()

    assert len({row_of(item).event_id for item in found}) == len(found) == 5
    assert deployed.calls("BatchGetItem") == 5


def test_says_which_runs_have_a_row(deployed: Deployed) -> None:
    there = {deployed.put("completed", event_id=f"event-{number}") for number in range(PAGE + 1)}
    missing = {RunId.of(TASK, "nothing"), RunId.of(TASK, "event-1", 1)}

    assert Unfinished().existing(sorted(there | missing)) == there
    assert deployed.calls("BatchGetItem") == 2


def test_nothing_is_asked_about_no_runs(deployed: Deployed) -> None:
    assert Unfinished().existing([]) == set()
    assert deployed.calls("BatchGetItem") == 0


@pytest.mark.parametrize("how", ["postpone", "settle"])
def test_of_two_only_one_is_the_first(deployed: Deployed, how: str) -> None:
    deployed.put("accepted")
    [mine], [yours] = overdue(), overdue()
    unfinished = Unfinished()

    def act(item: Item) -> bool:
        return unfinished.settle(item) if how == "settle" else unfinished.postpone(item, START + timedelta(hours=1))

    assert [act(mine), act(yours)] == [True, False]


@pytest.mark.parametrize("how", ["postpone", "settle"])
def test_an_item_that_is_gone_does_not_come_back(deployed: Deployed, how: str) -> None:
    deployed.put("accepted")
    [item] = overdue()
    boto3.client("dynamodb").delete_item(TableName="test_ledger", Key={"pk": item["pk"], "sk": item["sk"]})
    unfinished = Unfinished()

    done = unfinished.settle(item) if how == "settle" else unfinished.postpone(item, START + timedelta(hours=1))

    assert done is False
    assert boto3.client("dynamodb").scan(TableName="test_ledger")["Items"] == []
