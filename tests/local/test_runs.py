from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from local.runs import count_ended, list_runs
from local.template.deployment import expand
from local.template.placement import Placement
from shared import clock
from shared.clock import StoppedClock
from shared.engine.identity import RunId
from shared.engine.ledger import Ledger
from shared.engine.row import STATUSES, Row

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[2]
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-abcdef"
TABLE = "nightshift_ledger"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def table_definition() -> dict[str, Any]:
    """The call that creates the ledger, as the template plans it."""
    deployment = expand(ROOT / "template.yaml", Placement(), {"DatabaseSecretArn": SECRET})
    [call] = (call for call in deployment.calls if call.resource == "LedgerTable" and call.operation == "create_table")
    return dict(call.parameters)


@pytest.fixture
def client(table_definition: dict[str, Any]) -> Iterator[DynamoDBClient]:
    with mock_aws(), clock.using(StoppedClock(NOW)):
        dynamodb = boto3.client(
            "dynamodb", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )
        dynamodb.create_table(**table_definition)
        yield dynamodb


def add(client: DynamoDBClient, event_id: str, **overrides: Any) -> Row:
    """Write a run of `f`, accepted `ago`, that completed."""
    function = overrides.pop("function", "f")
    accepted = NOW - overrides.pop("ago", timedelta())
    run = RunId.of(function, event_id, overrides.pop("generation", 0))
    values = {
        "status": "completed",
        "event_name": "demo/greeted",
        "accepted_at": clock.isoformat(accepted),
        "ended_at": clock.isoformat(accepted),
    } | overrides
    row = Row(id=run, function=function, event_id=event_id, **values)
    assert Ledger(client, TABLE).create(row) is None
    return row


def ids(rows: list[Row]) -> list[str]:
    return [row.event_id for row in rows]


def test_lists_the_newest_first_over_functions_and_days(client: DynamoDBClient) -> None:
    for event_id, function, minutes in [("d", "g", 1500), ("a", "f", 1), ("c", "f", 1400), ("b", "g", 2)]:
        add(client, event_id, function=function, ago=timedelta(minutes=minutes))

    assert ids(list_runs(client, TABLE, ["f", "g"])) == ["a", "b", "c", "d"]


def test_lists_only_the_functions_that_are_asked_for(client: DynamoDBClient) -> None:
    add(client, "mine", function="f")
    add(client, "other", function="f-2")

    assert ids(list_runs(client, TABLE, ["f"])) == ["mine"]
    assert list_runs(client, TABLE, []) == []


def test_reaches_back_as_many_days_as_it_is_told(client: DynamoDBClient) -> None:
    for days in range(4):
        add(client, f"{days} days ago", ago=timedelta(days=days))

    assert ids(list_runs(client, TABLE, ["f"], days=3)) == ["0 days ago", "1 days ago", "2 days ago"]


def test_stops_at_the_limit_and_has_none_where_it_is_told_so(client: DynamoDBClient) -> None:
    for number in range(60):
        add(client, str(number), ago=timedelta(seconds=number))

    assert ids(list_runs(client, TABLE, ["f"], limit=2)) == ["0", "1"]
    assert len(list_runs(client, TABLE, ["f"])) == 50
    assert len(list_runs(client, TABLE, ["f"], limit=None)) == 60


def test_fills_the_limit_with_the_status_that_is_asked_for(client: DynamoDBClient) -> None:
    for number in range(20):
        add(client, str(number), ago=timedelta(seconds=number), status="failed" if number % 5 == 4 else "completed")

    assert ids(list_runs(client, TABLE, ["f"], status="failed", limit=3)) == ["4", "9", "14"]


def test_lists_each_generation_as_a_run_of_its_own(client: DynamoDBClient) -> None:
    for generation in (0, 1, 2):
        add(client, "e", generation=generation, ago=timedelta(minutes=3 - generation))

    assert [row.id.generation for row in list_runs(client, TABLE, ["f"])] == [2, 1, 0]


def test_reads_on_where_a_page_of_the_index_is_full(client: DynamoDBClient) -> None:
    kilobytes_150 = "x" * 150_000
    for number in range(20):  # 3 MB; a page has at most 1
        add(client, str(number), ago=timedelta(seconds=number), output=kilobytes_150)
    pages: list[Any] = []
    client.meta.events.register("before-parameter-build.dynamodb.Query", lambda params, **_: pages.append(params))

    assert ids(list_runs(client, TABLE, ["f"], limit=None)) == [str(number) for number in range(20)]
    assert len(pages) > 3


def test_reads_no_more_pages_than_a_short_list_takes(client: DynamoDBClient) -> None:
    for number in range(20):
        add(client, str(number), ago=timedelta(seconds=number), output="x" * 150_000)
    pages: list[Any] = []
    client.meta.events.register("before-parameter-build.dynamodb.Query", lambda params, **_: pages.append(params))

    assert ids(list_runs(client, TABLE, ["f"], limit=3)) == ["0", "1", "2"]
    assert len(pages) == 1


def test_counts_what_has_ended_over_pages_and_days(client: DynamoDBClient) -> None:
    for number in range(20):
        add(client, str(number), ago=timedelta(hours=number), output="x" * 150_000)
    add(client, "open", status="running", ended_at=None)
    add(client, "other", function="g")
    add(client, "long ago", ago=timedelta(days=2))

    assert count_ended(client, TABLE, "f") == 20


runs = st.tuples(st.sampled_from(["f", "g", "h"]), st.integers(0, 3 * 86_400), st.sampled_from(STATUSES))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(runs, max_size=12),
    limit=st.none() | st.integers(1, 8),
    status=st.none() | st.sampled_from(STATUSES),
    days=st.integers(1, 4),
)
def test_is_what_sorting_and_cutting_all_rows_gives(
    client: DynamoDBClient,
    table_definition: dict[str, Any],
    written: list[tuple[str, int, Any]],
    limit: int | None,
    status: str | None,
    days: int,
) -> None:
    client.delete_table(TableName=TABLE)
    client.create_table(**table_definition)
    rows = [
        add(client, str(number), function=function, ago=timedelta(seconds=seconds), status=state)
        for number, (function, seconds, state) in enumerate(written)
    ]

    listed = list_runs(client, TABLE, ["f", "g"], days=days, limit=limit, status=status)

    first_day = clock.isoformat(NOW - timedelta(days=days - 1))[:10]
    expected = [
        row
        for row in rows
        if row.function in {"f", "g"} and row.accepted_at[:10] >= first_day and status in (None, row.status)
    ]
    expected.sort(key=lambda row: row.accepted_at, reverse=True)
    assert [row.accepted_at for row in listed] == [row.accepted_at for row in expected[:limit]]
    assert {row.id for row in listed} <= {row.id for row in expected}
