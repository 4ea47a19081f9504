from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.errors.cleanup_old import cleanup_old, handler
from shared.database.tables import error_log
from shared.engine import Continue, Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.events.errors import CleanupOldErrors
from tests.database import add, amount, error, error_messages
from tests.factories import Context, envelope
from tests.stack import Stack

NOW = datetime(2026, 3, 1, 4, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=90)


def run(*, seconds_left: int = 120) -> Run:
    event = Envelope.parse(envelope(time=NOW.isoformat()))
    return Run(RunId.of("f", "1"), "errors-cleanup-old", event, context=Context(seconds_left * 1000))


@pytest.fixture(autouse=True)
def _database(empty_database: str) -> None:
    pass


def test_deletes_what_is_older_than_the_cutoff_and_nothing_else() -> None:
    rows = [
        error(message="older", timestamp=CUTOFF - timedelta(microseconds=1)),
        error(message="at", timestamp=CUTOFF),
        error(message="younger", timestamp=CUTOFF + timedelta(days=1)),
        error(message="ahead", timestamp=NOW + timedelta(days=1)),
    ]
    add(error_log, rows)

    assert cleanup_old(CleanupOldErrors(retention_days=90), run()).deleted == 1
    assert error_messages() == {"at", "younger", "ahead"}


def test_deletes_nothing_from_an_empty_log() -> None:
    assert cleanup_old(CleanupOldErrors(retention_days=1), run()).deleted == 0


def test_deletes_records_of_every_organization_and_of_none() -> None:
    add(error_log, [error(organization_id=None), error(organization_id="org-1"), error(organization_id="org-2")])

    cutoff_is_after_them = CleanupOldErrors(retention_days=1)

    assert cleanup_old(cutoff_is_after_them, run()).deleted == 3


def test_goes_on_in_another_call_when_its_deadline_is_near() -> None:
    add(error_log, [error() for _ in range(5)])

    with pytest.raises(Continue) as paused:
        cleanup_old(CleanupOldErrors(retention_days=1), run(seconds_left=5))

    assert paused.value.cursor == 5


@pytest.mark.parametrize("days", [None, 0, 366, "ninety"])
def test_refuses_a_retention_outside_a_year(stack: Stack, days: object) -> None:
    add(error_log, [error()])
    body = envelope(**{"detail-type": "errors/cleanup.old.errors"}, data={"retention_days": days})

    handler(stack.message(body), Context())

    assert stack.row("errors-cleanup-old").status == "failed"
    assert amount(error_log) == 1


def test_tries_again_when_the_database_is_away(stack: Stack) -> None:
    from shared.database import configure

    configure("postgresql://nobody@127.0.0.1:1/none")
    body = envelope(**{"detail-type": "errors/cleanup.old.errors"}, data={"retention_days": 30})

    answer = handler(stack.message(body), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    row = stack.row("errors-cleanup-old")
    assert row.status == "running"
    assert row.error is not None
    assert row.error["type"] == "DatabaseUnavailableError"
