from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from shared.database import Expired, Pace, configure, delete_in_chunks
from shared.database.connection import connect_to
from shared.database.migrate import upgrade
from shared.database.tables import alerts, error_log
from tests.database import LONG_AGO, add, alert, alert_ids, amount, error, error_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

CUTOFF = datetime(2026, 3, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SMALL = Pace(first_rows=10, least_rows=10, most_rows=10)


def resolved_alerts(organization_id: str = "org-1", before: datetime = CUTOFF) -> Expired:
    return Expired(
        table=alerts,
        time=alerts.c.resolved_at,
        key=alerts.c.id,
        before=before,
        where=(alerts.c.organization_id == organization_id, alerts.c.resolved),
    )


def old_errors(before: datetime = CUTOFF) -> Expired:
    return Expired(table=error_log, time=error_log.c.timestamp, key=error_log.c.id, before=before)


def delete_all(expired: Expired, pace: Pace = SMALL) -> list[int]:
    return [chunk.deleted for chunk in delete_in_chunks(expired, pace)]


def test_keeps_alerts_that_are_not_resolved(empty_database: str) -> None:
    add(alerts, [alert(id="open", resolved=False), alert(id="reopened", resolved=False), alert(id="gone")])

    delete_all(resolved_alerts())

    assert alert_ids() == {"open", "reopened"}


def test_keeps_alerts_that_were_resolved_nobody_knows_when(empty_database: str) -> None:
    add(alerts, [alert(id="unknown", resolved_at=None), alert(id="gone")])

    delete_all(resolved_alerts())

    assert alert_ids() == {"unknown"}


def test_keeps_alerts_of_other_organizations(empty_database: str) -> None:
    add(alerts, [alert(id="other", organization_id="org-2"), alert(id="gone")])

    delete_all(resolved_alerts())

    assert alert_ids() == {"other"}


def test_the_cutoff_itself_stays(empty_database: str) -> None:
    times = {"at": CUTOFF, "before": CUTOFF - MICROSECOND, "after": CUTOFF + MICROSECOND}
    add(alerts, [alert(id=name, resolved_at=time) for name, time in times.items()])

    delete_all(resolved_alerts())

    assert alert_ids() == {"at", "after"}


def test_the_cutoff_is_one_moment_whatever_its_time_zone(empty_database: str) -> None:
    lisbon_in_summer = datetime.fromisoformat("2026-07-01T05:00:00+01:00")
    times = {"gone": datetime(2026, 7, 1, 3, 59, tzinfo=UTC), "kept": datetime(2026, 7, 1, 4, 0, tzinfo=UTC)}
    add(error_log, [error(message=name, timestamp=time) for name, time in times.items()])

    delete_all(old_errors(lisbon_in_summer))

    assert error_messages() == {"kept"}


def test_a_cutoff_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        old_errors(datetime(2026, 3, 1))  # noqa: DTZ001 (the point)


def test_nothing_to_delete_yields_nothing(empty_database: str) -> None:
    assert delete_all(resolved_alerts()) == []


@pytest.mark.parametrize(
    ("rows", "chunks"), [(1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10]), (25, [10, 10, 5])]
)
def test_takes_as_many_rows_a_chunk_as_planned(empty_database: str, rows: int, chunks: list[int]) -> None:
    add(error_log, [error(timestamp=LONG_AGO + timedelta(hours=hour)) for hour in range(rows)])

    assert delete_all(old_errors()) == chunks


def test_rows_that_share_a_timestamp_do_not_make_a_chunk_larger(empty_database: str) -> None:
    add(alerts, [alert(resolved_at=LONG_AGO) for _ in range(35)])

    assert delete_all(resolved_alerts()) == [10, 10, 10, 5]


def test_takes_times_before_all_others(empty_database: str) -> None:
    add(error_log, [error(timestamp=text("'-infinity'")) for _ in range(15)])

    assert delete_all(old_errors()) == [10, 5]


def test_stopping_after_a_chunk_keeps_what_it_did_and_the_next_call_goes_on(empty_database: str) -> None:
    add(error_log, [error() for _ in range(25)])

    first = next(delete_in_chunks(old_errors(), SMALL))
    after_one_chunk = amount(error_log)
    rest = delete_all(old_errors())

    assert (first.deleted, after_one_chunk, rest) == (10, 15, [10, 5])


def test_rows_that_appear_ahead_of_the_walk_go_too(empty_database: str) -> None:
    add(error_log, [error() for _ in range(15)])
    chunks = delete_in_chunks(old_errors(), SMALL)

    next(chunks)
    add(error_log, [error(timestamp=CUTOFF - MICROSECOND) for _ in range(10)])
    rest = [chunk.deleted for chunk in chunks]

    assert (rest, amount(error_log)) == ([10, 5], 0)


def test_rows_that_appear_behind_the_walk_go_the_next_night(empty_database: str) -> None:
    add(error_log, [error() for _ in range(15)])
    chunks = delete_in_chunks(old_errors(), SMALL)

    next(chunks)
    add(error_log, [error(message="late", timestamp=LONG_AGO - timedelta(days=1))])
    rest = [chunk.deleted for chunk in chunks]

    assert (rest, error_messages()) == ([5], {"late"})
    assert delete_all(old_errors()) == [1]


def test_a_row_that_somebody_has_locked_is_left_and_the_others_go(empty_database: str) -> None:
    add(alerts, [alert(id=f"alert-{number}") for number in range(10, 35)])
    impatient = Pace(first_rows=10, least_rows=10, most_rows=10, lock_wait_seconds=0.05)

    with connect_to(empty_database) as somebody:
        somebody.execute(select(alerts).where(alerts.c.id == "alert-15").with_for_update())
        chunks = list(delete_in_chunks(resolved_alerts(), impatient))

    assert [(chunk.deleted, chunk.locked) for chunk in chunks] == [(9, 1), (10, 0), (5, 0)]
    assert alert_ids() == {"alert-15"}
    assert delete_all(resolved_alerts()) == [1]


def test_an_alert_that_is_reopened_while_the_deletion_waits_for_it_stays(empty_database: str) -> None:
    add(alerts, [alert(id="reopened"), alert(id="gone")])
    patient = Pace(lock_wait_seconds=30, cancel_seconds=60)

    with ThreadPoolExecutor(1) as threads:
        with connect_to(empty_database) as somebody:
            somebody.execute(update(alerts).where(alerts.c.id == "reopened").values(resolved=False))
            deletion = threads.submit(delete_all, resolved_alerts(), patient)
            wait_until_somebody_waits_for(somebody)
        deleted = deletion.result(30)

    assert deleted == [1]
    assert alert_ids() == {"reopened"}


def wait_until_somebody_waits_for(connection: Connection) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
    for _ in range(1000):
        if connection.execute(waiting).scalar_one():
            return
        connection.execute(text("SELECT pg_sleep(0.01)"))
    pytest.fail("nobody waits")


def test_two_deletions_of_the_same_rows_delete_each_once(empty_database: str) -> None:
    add(alerts, [alert(resolved_at=LONG_AGO + timedelta(minutes=number % 7)) for number in range(300)])

    with ThreadPoolExecutor(2) as threads:
        deletions = [threads.submit(delete_all, resolved_alerts()) for _ in range(2)]
        deleted = [sum(deletion.result(60)) for deletion in deletions]

    assert (sum(deleted), amount(alerts)) == (300, 0)


@pytest.fixture
def slow_url(bare_url: str) -> Iterator[str]:
    """A database where each deleted error takes two milliseconds."""
    upgrade(bare_url)
    with connect_to(bare_url) as connection:
        connection.execute(text(SLOW_FUNCTION))
        connection.execute(
            text("CREATE TRIGGER slow BEFORE DELETE ON error_log FOR EACH ROW EXECUTE FUNCTION slow_delete()")
        )
    configure(bare_url)
    yield bare_url
    configure(None)


SLOW_FUNCTION = """
    CREATE FUNCTION slow_delete() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.002); RETURN OLD; END $$
"""


def test_a_chunk_that_takes_too_long_is_tried_with_fewer_rows(slow_url: str) -> None:
    add(error_log, [error() for _ in range(400)])
    pace = Pace(first_rows=400, least_rows=1, target_seconds=0.1, cancel_seconds=0.5, lock_wait_seconds=0.1)

    deleted = delete_all(old_errors(), pace)

    assert sum(deleted) == 400
    assert max(deleted) < 250, "more would have taken longer than the limit"


def test_fewer_rows_than_the_least_are_not_tried(slow_url: str) -> None:
    add(error_log, [error() for _ in range(400)])
    pace = Pace(first_rows=400, least_rows=400, cancel_seconds=0.1, lock_wait_seconds=0.05)

    with pytest.raises(DBAPIError, match="statement timeout"):
        delete_all(old_errors(), pace)

    assert amount(error_log) == 400


@given(st.integers(100, 50_000), st.floats(0, 60))
def test_the_next_chunk_stays_within_its_limits(rows: int, seconds: float) -> None:
    pace = Pace()

    following = pace.next_rows(rows, seconds)

    assert pace.least_rows <= following <= pace.most_rows
    assert following <= rows * 4


@given(st.floats(1e-6, 0.01))
def test_chunks_settle_at_the_time_that_they_should_take(seconds_a_row: float) -> None:
    pace, rows = Pace(), Pace().first_rows

    for _ in count(1):
        following = pace.next_rows(rows, rows * seconds_a_row)
        if following == rows:
            break
        rows = following

    assert rows in {pace.least_rows, pace.most_rows} or abs(rows * seconds_a_row - pace.target_seconds) <= seconds_a_row
