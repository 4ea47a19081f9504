"""What goes over the wire between our code and the server, message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pg8000.native
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from shared.database import DatabaseUnavailableError, Expired, Pace, configure, delete_in_chunks, transaction
from shared.database.connection import connect_to
from shared.database.migrate import upgrade
from shared.database.tables import alerts, error_log
from tests.database import LONG_AGO, add, alert, error
from tests.shared.database.wire import Wire, keeps_state

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from local.postgres import Postgres


@pytest.fixture
def wire(postgres: Postgres, empty_database: str) -> Iterator[Wire]:
    """The way from this process to the server."""
    with transaction():
        pass  # so that SQLAlchemy's first look at the server, once a process, is not part of what tests see
    with Wire(("127.0.0.1", postgres.port)) as between:
        configure(postgres.credentials.model_copy(update={"port": between.port}).url)
        yield between


def expired(before: datetime | None = None) -> Expired:
    return Expired(table=error_log, time=error_log.c.timestamp, key=error_log.c.id, before=before or alert_time())


def alert_time() -> datetime:
    return LONG_AGO.replace(year=LONG_AGO.year + 1)


def complaints(wire: Wire) -> list[list[str]]:
    return [session.complaints for session in wire.sessions()]


def test_a_unit_of_work_is_one_transaction_on_a_connection_of_its_own(wire: Wire) -> None:
    for _ in range(3):
        with transaction() as connection:
            connection.execute(insert(alerts).values(alert()))
            connection.execute(select(alerts))

    assert [len(session.stints) for session in wire.sessions()] == [1, 1, 1]
    assert complaints(wire) == [[], [], []]


def test_a_read_only_transaction_ends_its_setting_with_itself(wire: Wire) -> None:
    with transaction(read_only=True) as connection:
        connection.execute(select(alerts))

    assert complaints(wire) == [[]]


def test_a_transaction_without_statements_says_nothing_but_goodbye(wire: Wire) -> None:
    # A COMMIT outside a transaction is parsed and executed apart: a pooler may do that on two servers.
    with transaction():
        pass

    (session,) = wire.sessions()
    assert [kind for kind, _ in session.messages] == [b"X"]


def test_a_commit_is_one_round_trip(wire: Wire) -> None:
    with transaction() as connection:
        connection.execute(text("SELECT 1"))

    (session,) = wire.sessions()
    assert [session.statements, len(session.rounds)] == [["begin transaction", "SELECT 1", "commit"], 3]


def test_a_failed_unit_of_work_is_rolled_back_on_its_connection_and_leaves_none(wire: Wire) -> None:
    with pytest.raises(DBAPIError, match="division"), transaction() as connection:
        connection.execute(text("SELECT 1 / CAST(:zero AS integer)"), {"zero": 0})

    (session,) = wire.sessions()
    assert session.statements[-1] == "rollback"
    assert session.complaints == []


def test_a_lost_connection_is_not_kept(wire: Wire) -> None:
    with pytest.raises(DatabaseUnavailableError), transaction() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert all(session.closed for session in wire.sessions())


def test_each_chunk_is_a_transaction_and_nothing_is_open_between_two(wire: Wire) -> None:
    add(error_log, [error() for _ in range(25)])
    chunks = delete_in_chunks(expired(), Pace(first_rows=10, least_rows=10, most_rows=10))

    for _ in chunks:
        assert wire.sessions()[-1].closed

    assert [len(session.stints) for session in wire.sessions()] == [1, 1, 1, 1]
    assert complaints(wire) == [[], [], [], []]


def test_chunks_that_wait_for_locks_or_take_too_long_keep_no_state_either(wire: Wire, empty_database: str) -> None:
    add(error_log, [error() for _ in range(25)])
    impatient = Pace(first_rows=10, least_rows=10, most_rows=10, lock_wait_seconds=0.05)

    with connect_to(empty_database) as somebody:
        somebody.execute(select(error_log).limit(1).with_for_update())
        locked = sum(chunk.locked for chunk in delete_in_chunks(expired(), impatient))

    assert locked == 1
    assert any("SKIP LOCKED" in sql for session in wire.sessions() for sql in session.statements)
    assert not any(complaints(wire))


def test_a_migration_is_one_transaction(wire: Wire, bare_url: str) -> None:
    configure(bare_url.replace(f":{bare_url.rpartition(':')[2].partition('/')[0]}/", f":{wire.port}/"))

    with transaction() as connection:
        upgrade(connection)

    (session,) = wire.sessions()
    assert any(sql.strip().startswith("CREATE TABLE alerts") for sql in session.statements)
    assert (len(session.stints), session.complaints) == (1, [])


def test_sqlalchemys_first_look_at_a_server_keeps_no_state(wire: Wire, postgres: Postgres) -> None:
    with connect_to(postgres.credentials.model_copy(update={"port": wire.port}).url) as connection:
        connection.execute(text("SELECT 1"))

    assert complaints(wire) == [[]]


@pytest.mark.parametrize(
    "sql",
    [
        "SET lock_timeout = '1s'",
        "set session timezone to 'UTC'",
        "RESET ALL",
        "LISTEN news",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "CREATE TEMP TABLE t (a int)",
        "CREATE TEMPORARY VIEW v AS SELECT 1",
        "PREPARE p AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SELECT set_config('lock_timeout', '1s', false)",
        "SELECT nextval('numbers')",
    ],
)
def test_the_capture_sees_what_a_session_would_keep(sql: str) -> None:
    assert keeps_state(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE alerts SET resolved = true",
        "SET LOCAL lock_timeout = '1s'",
        "SELECT set_config('lock_timeout', %s, true), set_config('enable_seqscan', 'off', true)",
        "CREATE TABLE temperature (a int)",
    ],
)
def test_the_capture_lets_what_ends_with_the_transaction_pass(sql: str) -> None:
    assert not keeps_state(sql)


def test_the_capture_sees_named_statements_and_what_stands_outside_a_transaction(
    wire: Wire, postgres: Postgres
) -> None:
    login = postgres.credentials
    password = login.password.get_secret_value()
    client = pg8000.native.Connection(login.username, "127.0.0.1", login.dbname, wire.port, password, ssl_context=False)
    client.prepare("SELECT 1").run()
    client.run("SELECT :one", one=1)
    client.close()

    (found,) = complaints(wire)

    assert "names a prepared statement pg8000_statement_0" in found
    assert "begins with ['SELECT 1']" in found
    assert "uses a statement that it did not parse in this transaction" in found
