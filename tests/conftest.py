"""A real PostgreSQL for every test that asks for one: one server per test process, empty tables per test."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import settings
from sqlalchemy import text

from local.postgres import Postgres
from shared.database import configure
from shared.database.connection import connect_to
from shared.database.migrate import upgrade
from shared.database.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The embedded server, started by the first test that needs it; each xdist worker has its own."""
    with Postgres.start(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_url(postgres: Postgres) -> str:
    """A migrated database that tests share; use `database_url`, which empties it first."""
    upgrade(postgres.url)
    return postgres.url


@pytest.fixture
def database_url(migrated_url: str) -> str:
    """The URL of a migrated database whose tables are empty; this process is not pointed at it."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with connect_to(migrated_url) as connection:
        # A test that forgot to end a transaction should fail here, not hang the whole run.
        connection.execute(text("SELECT set_config('lock_timeout', '10s', true)"))
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    return migrated_url


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """The same, and `shared.database.transaction()` of this process uses it until the test ends."""
    configure(database_url)
    yield database_url
    configure(None)


@pytest.fixture
def bare_url(postgres: Postgres) -> Iterator[str]:
    """The URL of a database of this test's own, without any table."""
    name = f"bare_{uuid4().hex}"
    credentials = postgres.credentials
    postgres.run(f"CREATE DATABASE {name}")
    yield credentials.model_copy(update={"dbname": name}).url
    postgres.run(f"DROP DATABASE {name} WITH (FORCE)")
