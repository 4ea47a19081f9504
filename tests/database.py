"""Rows for database tests, with keyword overrides, and short ways to look at what is there."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select

from shared.database import transaction
from shared.database.tables import alerts, error_log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = count(1)


def alert(**overrides: Any) -> dict[str, Any]:
    """A row of `alerts`: one that was resolved long ago."""
    return {
        "id": f"alert-{next(_numbers):06d}",
        "organization_id": "org-1",
        "severity": "high",
        "type": "performance",
        "title": "Slow",
        "source": "monitor",
        "resolved": True,
        "resolved_at": LONG_AGO,
    } | overrides


def error(**overrides: Any) -> dict[str, Any]:
    """A row of `error_log`: one that was written long ago."""
    return {"timestamp": LONG_AGO, "message": "Upstream answered 502"} | overrides


def add(table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """Insert the rows and commit."""
    with transaction() as connection:
        connection.execute(insert(table).values(list(rows)))


def amount(table: Table) -> int:
    """How many rows the table has."""
    with transaction(read_only=True) as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def alert_ids() -> set[str]:
    """The ids of all alerts."""
    with transaction(read_only=True) as connection:
        return set(connection.execute(select(alerts.c.id)).scalars())


def error_messages() -> set[str]:
    """The messages of all errors."""
    with transaction(read_only=True) as connection:
        return set(connection.execute(select(error_log.c.message)).scalars())
