"""Read what is unfinished and overdue, through the ledger's sparse index, and note that it was looked at.

What has ended is not in the index, so the reads grow with what is overdue and not with the table.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from shared import aws, clock
from shared.engine.row import SHARDS, key_of, run_id_of
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

    from shared.engine.identity import RunId

Item: TypeAlias = "Mapping[str, Attribute]"

PAGE: Final = 100  # items; the most that BatchGetItem takes


class Unfinished:
    """The unfinished items of the ledger's table, through one client."""

    def __init__(self) -> None:
        self._client: DynamoDBClient = aws.client("dynamodb")
        self._table = settings().ledger_table

    def overdue(self, as_of: datetime) -> Iterator[list[Item]]:
        """Yield, by up to `PAGE`, the items that were to be looked at by `as_of`, as they are now.

        What the index holds may lag behind by a moment: what has been driven on since is left out.
        """
        latest = clock.isoformat(as_of)
        for keys in _pages(chain.from_iterable(self._keys(shard, latest) for shard in SHARDS)):
            yield [item for item in self._items(keys) if "check_at" in item and item["check_at"]["S"] <= latest]

    def existing(self, runs: Iterable[RunId]) -> set[RunId]:
        """Return those of the runs that have a row."""
        keys = (key_of(run) for run in runs)
        return {run_id_of(item) for page in _pages(keys) for item in self._items(page, ProjectionExpression="pk, sk")}

    def postpone(self, item: Item, until: datetime) -> bool:
        """Look at the item again at `until`; False if another reconciler, or the run itself, was faster.

        It is also False where the answer to our own write was lost: then it is looked at again later, not twice now.
        """
        values: dict[str, Attribute] = {":until": {"S": clock.isoformat(until)}}
        return self._update(item, "SET check_at = :until", values)

    def settle(self, item: Item) -> bool:
        """Look at the item no more; False as for `postpone`."""
        return self._update(item, "REMOVE open_shard, check_at", {})

    def _update(self, item: Item, update: str, values: dict[str, Attribute]) -> bool:
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": item["pk"], "sk": item["sk"]},
                UpdateExpression=update,
                ConditionExpression="check_at = :known",
                ExpressionAttributeValues=values | {":known": item["check_at"]},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _keys(self, shard: str, latest: str) -> Iterator[Item]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="open",
            KeyConditionExpression="open_shard = :shard AND check_at <= :latest",
            ExpressionAttributeValues={":shard": {"S": f"open#{shard}"}, ":latest": {"S": latest}},
        )
        for page in pages:
            for item in page["Items"]:
                yield {"pk": item["pk"], "sk": item["sk"]}

    def _items(self, keys: Iterable[Item], **more: Any) -> Iterator[Item]:
        """Yield the items of at most `PAGE` keys, read consistently.

        An answer holds 16 MB at most and names the keys that it does not cover. It covers some: where DynamoDB could
        read none at all, it raises.
        """
        asked: Any = {self._table: {"Keys": list(keys), "ConsistentRead": True} | more}
        while asked:
            answer = self._client.batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(self._table, [])
            asked = answer.get("UnprocessedKeys")


def _pages(keys: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield the keys by up to `PAGE`, none twice in a page: BatchGetItem refuses that.

    An item that is written while the index is paged through may be met again.
    """
    page: dict[tuple[str, str], Item] = {}
    for key in keys:
        page[key["pk"]["S"], key["sk"]["N"]] = key
        if len(page) == PAGE:
            yield list(page.values())
            page = {}
    if page:
        yield list(page.values())
