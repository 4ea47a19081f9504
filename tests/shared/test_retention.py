from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database.connection import connect_to
from shared.database.deletion import Expired
from shared.database.tables import error_log
from shared.engine import Continue, Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.observability import measured
from shared.retention import MARGIN, CleanupResult, delete_expired
from tests.database import add, amount, error, error_messages
from tests.factories import Context, envelope

CUTOFF = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _database(empty_database: str) -> None:
    pass


def expired() -> Expired:
    return Expired(table=error_log, time=error_log.c.timestamp, key=error_log.c.id, before=CUTOFF)


def run(cursor: int | None = None, *, left: timedelta = timedelta(minutes=1)) -> Run:
    context = Context(round(left.total_seconds() * 1000))
    return Run(RunId.of("f", "1"), "errors-cleanup-old", Envelope.parse(envelope()), cursor=cursor, context=context)


def old(number: int) -> list[dict[str, Any]]:
    return [error(timestamp=CUTOFF - timedelta(seconds=1 + second)) for second in range(number)]


def test_deletes_what_has_expired_and_says_how_much_that_was() -> None:
    add(error_log, [*old(25), error(timestamp=CUTOFF, message="at the cutoff")])

    result = delete_expired(expired(), run())

    assert result == CleanupResult(deleted=25)
    assert error_messages() == {"at the cutoff"}


def test_deletes_nothing_where_nothing_has_expired_however_late_it_is() -> None:
    add(error_log, [error(timestamp=CUTOFF)])

    assert delete_expired(expired(), run(left=timedelta())) == CleanupResult(deleted=0)


def test_goes_on_with_what_it_has_counted() -> None:
    add(error_log, old(5))

    assert delete_expired(expired(), run(cursor=100)) == CleanupResult(deleted=105)


def test_ends_the_call_after_a_chunk_when_its_deadline_is_near() -> None:
    add(error_log, old(1_500))  # more than the first chunk takes

    with pytest.raises(Continue) as paused:
        delete_expired(expired(), run(left=MARGIN - timedelta(milliseconds=1)))

    assert 0 < paused.value.cursor < 1_500
    assert amount(error_log) == 1_500 - paused.value.cursor


def test_works_on_while_there_is_time() -> None:
    add(error_log, old(1_500))

    assert delete_expired(expired(), run(left=MARGIN)) == CleanupResult(deleted=1_500)


def test_calls_that_end_early_delete_all_of_it_between_them() -> None:
    add(error_log, old(2_500))
    cursor, calls = None, 0

    while True:
        calls += 1
        try:
            result = delete_expired(expired(), run(cursor, left=timedelta()))
        except Continue as paused:
            cursor = paused.cursor
        else:
            break

    assert result == CleanupResult(deleted=2_500)
    assert calls > 2
    assert amount(error_log) == 0


def test_counts_the_rows_of_this_call_as_affected(capsys: pytest.CaptureFixture[str]) -> None:
    add(error_log, old(25))

    with measured("errors-cleanup-old"):
        delete_expired(expired(), run(cursor=100))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [document] = [line for line in lines if "_aws" in line]
    assert document["RecordsAffected"] == [25.0]


def test_leaves_rows_that_somebody_holds_and_does_not_count_them(empty_database: str) -> None:
    add(error_log, [error(message="held"), error(message="free")])

    with connect_to(empty_database) as other:
        other.execute(error_log.select().where(error_log.c.message == "held").with_for_update())
        result = delete_expired(expired(), run())

    assert result == CleanupResult(deleted=1)
    assert error_messages() == {"held"}
