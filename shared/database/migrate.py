"""Bring a database's schema to the newest revision that this code ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.database.connection import connect_to, sqlstate

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = """
    CREATE TABLE IF NOT EXISTS alembic_version (
        version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY
    )
"""
# Two sessions that create the same table at once: `IF NOT EXISTS` looks too early, and a unique index of the
# catalogue, or the table's name, refuses the second.
CREATED_MEANWHILE = frozenset({"23505", "42P07"})


@dataclass(frozen=True)
class MigrationResult:
    """What `upgrade` found, what it left, and the revisions that it ran in between, oldest first."""

    from_revision: str | None
    to_revision: str | None
    applied: tuple[str, ...]


def upgrade(target: Connection | str) -> MigrationResult:
    """Run the revisions that the database lacks, all of them or, on an error, none.

    Upgrades that run at the same time wait for one another; the later ones find nothing to do.

    Args:
        target: a connection in a transaction, which the caller commits; or a URL, for a transaction of our own.
    """
    if isinstance(target, str):
        with connect_to(target) as connection:
            return _upgrade(connection)
    return _upgrade(target)


def _upgrade(connection: Connection) -> MigrationResult:
    _take_turns(connection)
    before = _revision(connection)
    applied: list[str] = []

    def note(*, step: Any, **_: object) -> None:
        applied.append(step.up_revision_id)

    config = Config()  # in code: there is no alembic.ini whose place could depend on where we were started
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, on_version_apply=note)
    command.upgrade(config, "head")
    return MigrationResult(before, _revision(connection), tuple(applied))


def _take_turns(connection: Connection) -> None:
    """Hold the version table until the transaction ends. No advisory lock: RDS Proxy would pin for it."""
    try:
        with connection.begin_nested():
            connection.execute(text(VERSION_TABLE))
    except DBAPIError as error:
        if sqlstate(error) not in CREATED_MEANWHILE:
            raise
    connection.execute(text("LOCK TABLE alembic_version IN SHARE ROW EXCLUSIVE MODE"))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
