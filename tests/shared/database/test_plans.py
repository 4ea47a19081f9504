"""The deletions and the page of organizations walk indexes, on a filled table whose statistics are current."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Select, event, select, text

from local import sample_night
from shared.database import Expired, Pace
from shared.database.connection import connect_to
from shared.database.deletion import Position, _prepare
from shared.database.migrate import upgrade
from shared.database.tables import alerts, error_log, metadata, organization

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Executable

    from local.postgres import Postgres

NOW = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)
LARGE, MIDDLING, EMPTY = "org-00001", "org-00050", "org-05000"


@pytest.fixture(scope="module")
def night(postgres: Postgres) -> Iterator[str]:
    """The URL of a database with a whole sample night in it."""
    name = f"plans_{uuid4().hex}"
    postgres.run(f"CREATE DATABASE {name}")
    url = postgres.credentials.model_copy(update={"dbname": name}).url
    upgrade(url)
    with connect_to(url) as connection:
        sample_night.seed(connection, now=NOW, organizations=5_000)
        for table in metadata.sorted_tables:
            connection.execute(text(f"ANALYZE {table.name}"))
    yield url
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def connection(night: str) -> Iterator[Connection]:
    with connect_to(night) as connection:
        yield connection


def resolved_alerts(organization_id: str) -> Expired:
    return Expired(
        table=alerts,
        time=alerts.c.resolved_at,
        key=alerts.c.id,
        before=NOW - timedelta(days=30),
        where=(alerts.c.organization_id == organization_id, alerts.c.resolved),
    )


def old_errors() -> Expired:
    return Expired(table=error_log, time=error_log.c.timestamp, key=error_log.c.id, before=NOW - timedelta(days=90))


DELETIONS = {
    "alerts of a large organization": resolved_alerts(LARGE),
    "alerts of a middling organization": resolved_alerts(MIDDLING),
    "alerts of an empty organization": resolved_alerts(EMPTY),
    "errors": old_errors(),
}
INDEXES = {"alerts": "ix_alerts_resolved", "error_log": "ix_error_log_timestamp_id"}
deletions = pytest.mark.parametrize("expired", DELETIONS.values(), ids=DELETIONS.keys())


@deletions
@pytest.mark.parametrize("rows", [100, 1_000, 4_000])
def test_the_end_of_a_chunk_is_found_in_the_index(connection: Connection, expired: Expired, rows: int) -> None:
    for after in (None, place(connection, expired, 500)):
        assert indexes(connection, expired.nth(rows, after)) == {INDEXES[expired.table.name]}


@deletions
def test_a_chunk_is_deleted_by_the_index(connection: Connection, expired: Expired) -> None:
    start, end = place(connection, expired, 500), place(connection, expired, 1_500)

    for bounds in ((None, start), (start, end)):
        assert indexes(connection, expired.delete(*bounds)) == {INDEXES[expired.table.name]}


@deletions
def test_a_chunk_that_is_half_of_its_table_is_still_walked_by_the_index(
    connection: Connection, expired: Expired
) -> None:
    _prepare(connection, Pace())

    end_of_chunk = indexes(connection, expired.nth(Pace().most_rows, None))
    whole_rest = indexes(connection, expired.delete(None, None))

    assert end_of_chunk == whole_rest == {INDEXES[expired.table.name]}


@deletions
def test_what_is_not_locked_is_deleted_by_indexes(connection: Connection, expired: Expired) -> None:
    start, end = place(connection, expired, 500), place(connection, expired, 1_500)

    used = indexes(connection, expired.delete_unlocked(start, end))

    assert used == {INDEXES[expired.table.name], f"pk_{expired.table.name}"}


def test_a_page_of_organizations_is_read_by_the_primary_key(connection: Connection) -> None:
    columns = (organization.c.id, organization.c.retention_days)
    page: Select[Any] = select(*columns).where(organization.c.id > "org-02500").order_by(organization.c.id).limit(100)

    assert indexes(connection, page) == {"pk_organization"}


def place(connection: Connection, expired: Expired, rows: int) -> Position:
    """The position of the `rows`-th row, or, where there are fewer, one in the midst of the times."""
    row = connection.execute(expired.nth(rows, None)).one_or_none()
    return Position(*row) if row is not None else Position(expired.before - timedelta(days=10), "m")


def indexes(connection: Connection, statement: Executable) -> set[str]:
    """Return the indexes in the statement's plan, made for its very parameters; fail on a sequential scan."""

    def explain(*arguments: Any) -> tuple[str, Any]:
        return f"EXPLAIN (FORMAT JSON) {arguments[2]}", arguments[3]

    event.listen(connection, "before_cursor_execute", explain, retval=True)
    try:
        cursor = connection.execute(statement).cursor
        assert cursor is not None
        found = cursor.fetchall()[0][0]
    finally:
        event.remove(connection, "before_cursor_execute", explain)
    plan = json.dumps(found)
    assert "Seq Scan" not in plan, plan
    return set(_index_names(found[0]["Plan"]))


def _index_names(plan: dict[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    for child in plan.get("Plans", []):
        yield from _index_names(child)
