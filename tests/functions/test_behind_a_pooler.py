"""What every function that touches the database does to it goes through a pooler in transaction mode."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from functions.alerts.cleanup_resolved import cleanup_resolved
from functions.alerts.prepare_cleanup import send_page
from functions.errors.cleanup_old import cleanup_old
from functions.platform.migrate import handler as migrate
from shared.database import configure, transaction
from shared.database.connection import connect_to
from shared.database.tables import alerts, error_log, organization
from shared.engine import Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.events.alerts import CleanupResolvedAlerts
from shared.events.errors import CleanupOldErrors
from shared.settings import forget_environment
from tests.conventions.house import house
from tests.database import add, alert, amount, error
from tests.factories import Context, envelope
from tests.shared.database.pooler import PROGRAM, pooled
from tests.shared.database.wire import Wire
from tests.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.postgres import Postgres

SERVERS = 2
TIMES = 3
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="PgBouncer is not installed; `make test-all` installs it")


def run(function: str, step: str | None = None) -> Run:
    event = Envelope.parse(envelope(time=datetime(2026, 6, 1, 5, tzinfo=UTC).isoformat()))
    return Run(RunId.of(function, "event-1"), function, event, step=step, context=Context(120_000))


# A function that touches the database is added here: the test below asks for it.
WORK: dict[str, Callable[[], Any]] = {
    "alerts-prepare-cleanup": lambda: send_page(None, run("alerts-prepare-cleanup", "send_page")),
    "alerts-cleanup-resolved": lambda: cleanup_resolved(
        CleanupResolvedAlerts(organization_id="org-1", retention_days=30), run("alerts-cleanup-resolved")
    ),
    "errors-cleanup-old": lambda: cleanup_old(CleanupOldErrors(retention_days=90), run("errors-cleanup-old")),
    "platform-migrate": lambda: migrate({}, None),
}


def test_every_function_that_touches_the_database_is_looked_at() -> None:
    told = {each.id for each in house().functions if "DATABASE_SECRET_ARN" in str(each.resource.properties)}

    assert WORK.keys() == told


@pytest.fixture
def rows(stack: Stack, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something to do for every function."""
    monkeypatch.setenv("ALERTS_CLEANUP_RESOLVED_INBOX_URL", stack.inbox_url)
    forget_environment()
    numbered = ({"id": f"org-{n}", "name": f"{n}", "slug": f"{n}", "retention_days": 30} for n in range(25))
    add(organization, numbered)
    add_expired()


def add_expired() -> None:
    add(alerts, [alert() for _ in range(1_100)])  # more than the first chunk takes
    add(error_log, [error() for _ in range(1_100)])


@pytest.fixture
def wire(rows: None, postgres: Postgres) -> Iterator[Wire]:
    """The way from this process to the server."""
    with Wire(("127.0.0.1", postgres.port)) as between:
        configure(postgres.credentials.model_copy(update={"port": between.port}).url)
        yield between


@pytest.mark.parametrize("function", WORK)
def test_a_functions_work_ties_it_to_no_server(function: str, wire: Wire) -> None:
    WORK[function]()

    sessions = wire.sessions()
    assert sessions
    assert [complaint for session in sessions for complaint in session.complaints] == []
    assert {len(session.stints) for session in sessions} == {1}, "one transaction a connection"


@pytest.fixture
def pool(rows: None, postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """PgBouncer with two connections to the server, which this process is pointed at."""
    with pooled(tmp_path, postgres.credentials, size=SERVERS) as door:
        configure(door.url)
        yield door.url


@needs_pgbouncer
def test_all_functions_share_two_connections_of_pgbouncer(pool: str, empty_database: str) -> None:
    def work_often(function: str) -> None:
        for _ in range(TIMES):
            WORK[function]()
            add_expired()

    with ThreadPoolExecutor(len(WORK)) as threads:
        list(threads.map(work_often, WORK))
    for function in ("alerts-cleanup-resolved", "errors-cleanup-old"):
        WORK[function]()

    assert (amount(alerts), amount(error_log)) == (0, 0)
    with connect_to(empty_database) as direct:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert direct.execute(text(others)).scalar_one() == SERVERS, "they stay open for the next client"


@needs_pgbouncer
def test_nothing_that_a_function_sets_meets_the_next_client_of_its_server(pool: str) -> None:
    settings = ("lock_timeout", "statement_timeout", "enable_seqscan", "transaction_read_only")
    query = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in settings))
    with transaction() as connection:
        before = connection.execute(query).one()

    for work in WORK.values():
        work()
    with transaction(read_only=True) as connection:
        connection.execute(text("SELECT 1"))

    for _ in range(SERVERS * 2):
        with transaction() as connection:
            assert connection.execute(query).one() == before
