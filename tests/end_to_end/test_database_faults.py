"""A night survives the death of a worker that deletes, and of the database."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from shared.database.connection import connect_to
from tests.end_to_end.night import WORKER, add_expired, alerts_of, all_alerts, fire
from tests.end_to_end.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import Postgres
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

FIRST_CHUNK = 1_000
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@contextmanager
def locked(url: str, alert: str) -> Iterator[None]:
    """Hold a row lock, for which a deletion waits two seconds before it leaves the row."""
    with connect_to(url) as connection:
        connection.execute(text("SELECT id FROM alerts WHERE id = :id FOR UPDATE"), {"id": alert})
        yield


def is_somebody_blocked(url: str) -> bool:
    with connect_to(url) as connection:
        return bool(connection.execute(text(BLOCKED)).scalar_one())


def row_of(stack: RunningStack, run: str) -> dict[str, Any]:
    """Return a run as `nightshift runs` lists it."""
    [row] = [each for each in stack.runs(WORKER) if each["run_id"] == run]
    return row


def test_a_worker_killed_while_it_deletes_loses_nothing_and_repeats_nothing(
    cleanups: RunningStack, database: Postgres
) -> None:
    add_expired(database.url, "killed", FIRST_CHUNK + 500)
    with locked(database.url, f"killed-{FIRST_CHUNK + 200}"):
        run = cleanups.send("alerts/cleanup.resolved.alerts", {"organization_id": "killed", "retention_days": 30})
        until(lambda: is_somebody_blocked(database.url), "the second chunk's deletion to wait", every=0.01)
        [pid] = cleanups.busy_workers(WORKER)

        os.kill(pid, signal.SIGKILL)

        until(lambda: not is_somebody_blocked(database.url), "the server to notice", every=0.01)
        left = alerts_of(database.url, "killed")
        until(lambda: is_somebody_blocked(database.url), "the next attempt to come so far", every=0.01)
        again = row_of(cleanups, run)

    ended = cleanups.ended(run)
    assert left == 500, "the chunk under way is undone, the one before stays done"
    assert (again["status"], again["attempts"]) == ("running", 2)
    # each chunk's call ends with Continue at this time scale, which begins to count attempts anew
    assert (ended["status"], ended["output"]) == ("completed", {"deleted": FIRST_CHUNK + 500})
    assert alerts_of(database.url, "killed") == 0
    cleanups.drained(WORKER)


def test_a_night_goes_on_after_the_database_was_stopped_and_started_again(
    cleanups: RunningStack, database: Postgres
) -> None:
    night = fire(cleanups, database.url, organizations=80, rows=8_000)
    until(lambda: all_alerts(database.url) < night.alerts, "the night to be under way", every=0.005)

    database.stop()
    failing = until(
        lambda: [run for run in cleanups.runs(WORKER) if run["error"] and run["attempts"] > 1 and not run["ended_at"]],
        "a second attempt to fail for want of the database",
    )
    database.restart()
    runs = night.alerts_runs()

    assert {(run["status"], run["error"]["type"]) for run in failing} == {("running", "DatabaseUnavailableError")}
    assert night.errors_run()["status"] == "completed"
    assert cleanups.ended(night.prepare)["output"] == {"sent": 80}
    assert night.problems() == []
    refused = {each.organization_id for each in night.expected.organizations if each.refused}
    assert {name for name, run in runs.items() if run["status"] != "completed"} == refused
    assert {run["error"]["type"] for run in runs.values() if run["error"]} == {"InvalidMessageError"}
    assert {run["run_id"] for run in failing} <= {run["run_id"] for run in runs.values()}
    cleanups.drained(WORKER)
