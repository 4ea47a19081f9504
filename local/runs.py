"""Read runs out of a ledger, the local one or that of a stack on AWS."""

from __future__ import annotations

from datetime import timedelta
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared import clock
from shared.engine.row import Row, row_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


INDEX = "by-function"


def list_runs(
    client: DynamoDBClient,
    table: str,
    functions: Iterable[str],
    *,
    days: int = 2,
    limit: int | None = 50,
    status: str | None = None,
) -> list[Row]:
    """Return the runs of `functions` that were accepted in the last `days`, newest first, at most `limit`.

    Pages are read as they are needed, so that a short list of a long ledger stays cheap.
    """
    newest_first = merge(
        *(_runs_of(client, table, function, days) for function in functions),
        key=lambda row: row.accepted_at,
        reverse=True,
    )
    wanted = (row for row in newest_first if status in (None, row.status))
    return list(islice(wanted, limit))


def count_ended(client: DynamoDBClient, table: str, function: str, *, days: int = 2) -> int:
    """Return how many runs of `function` that were accepted in the last `days` have ended, without reading them."""
    queries = _queries(table, function, days)
    pages = client.get_paginator("query")
    return sum(
        page["Count"]
        for query in queries
        for page in pages.paginate(**query, Select="COUNT", FilterExpression="attribute_exists(ended_at)")
    )


def _runs_of(client: DynamoDBClient, table: str, function: str, days: int) -> Iterator[Row]:
    pages = client.get_paginator("query")
    for query in _queries(table, function, days):
        for page in pages.paginate(**query):
            yield from map(row_of, page["Items"])


def _queries(table: str, function: str, days: int) -> Iterator[Any]:
    """Yield a query a day, from today back."""
    today = clock.now().date()
    for back in range(days):
        yield {
            "TableName": table,
            "IndexName": INDEX,
            "KeyConditionExpression": "function_day = :day",
            "ExpressionAttributeValues": {":day": {"S": f"{function}#{today - timedelta(days=back)}"}},
            "ScanIndexForward": False,
        }
