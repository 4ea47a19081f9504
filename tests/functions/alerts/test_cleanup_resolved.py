from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functions.alerts.cleanup_resolved import cleanup_resolved, handler
from shared.database.tables import alerts, organization
from shared.engine import Continue, Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.events.alerts import CleanupResolvedAlerts
from tests.database import add, alert, alert_ids, amount
from tests.factories import Context, envelope
from tests.stack import Stack

NOW = datetime(2026, 3, 1, 5, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=30)


def run(cursor: int | None = None, *, seconds_left: int = 120) -> Run:
    event = Envelope.parse(envelope(time=NOW.isoformat()))
    return Run(
        RunId.of("f", "1"), "alerts-cleanup-resolved", event, cursor=cursor, context=Context(seconds_left * 1000)
    )


def clean_up(organization_id: str = "org-1") -> int:
    return cleanup_resolved(CleanupResolvedAlerts(organization_id=organization_id, retention_days=30), run()).deleted


@pytest.fixture(autouse=True)
def _database(empty_database: str) -> None:
    pass


def test_deletes_resolved_alerts_from_before_the_cutoff() -> None:
    add(alerts, [alert(resolved_at=CUTOFF - timedelta(microseconds=1)), alert(resolved_at=CUTOFF - timedelta(days=9))])

    assert clean_up() == 2
    assert amount(alerts) == 0


def test_keeps_an_alert_that_was_resolved_exactly_at_the_cutoff_or_later() -> None:
    add(alerts, [alert(id="at", resolved_at=CUTOFF), alert(id="after", resolved_at=CUTOFF + timedelta(seconds=1))])

    assert clean_up() == 0
    assert alert_ids() == {"at", "after"}


def test_keeps_alerts_that_are_not_resolved() -> None:
    add(alerts, [alert(id="open", resolved=False, resolved_at=None), alert(id="odd", resolved=False)])

    assert clean_up() == 0
    assert alert_ids() == {"open", "odd"}


def test_keeps_an_alert_that_was_resolved_at_an_unknown_time() -> None:
    add(alerts, [alert(id="unknown", resolved_at=None)])

    assert clean_up() == 0
    assert alert_ids() == {"unknown"}


def test_keeps_another_organizations_alerts() -> None:
    add(alerts, [alert(id="mine"), alert(id="theirs", organization_id="org-2")])

    assert clean_up("org-1") == 1
    assert alert_ids() == {"theirs"}


def test_deletes_nothing_for_an_organization_that_does_not_exist() -> None:
    add(alerts, [alert(id="stays")])

    assert clean_up("org-unknown") == 0
    assert alert_ids() == {"stays"}


def test_compares_in_utc_whatever_zone_the_time_was_written_in() -> None:
    add(organization, [{"id": "org-1", "name": "One", "slug": "one", "retention_days": 30}])
    lisbon_summer = datetime.fromisoformat("2026-01-30T06:00:00+01:00")  # exactly the cutoff, 05:00 UTC
    add(alerts, [alert(id="at", resolved_at=lisbon_summer), alert(resolved_at=lisbon_summer - timedelta(seconds=1))])

    assert clean_up() == 1
    assert alert_ids() == {"at"}


def test_does_the_same_again_on_a_retry() -> None:
    add(alerts, [alert() for _ in range(10)])

    assert [clean_up(), clean_up()] == [10, 0]


def test_goes_on_in_another_call_when_its_deadline_is_near() -> None:
    add(alerts, [alert() for _ in range(10)])
    event = CleanupResolvedAlerts(organization_id="org-1", retention_days=30)

    with pytest.raises(Continue) as paused:
        cleanup_resolved(event, run(cursor=100, seconds_left=5))

    assert paused.value.cursor == 110
    assert cleanup_resolved(event, run(cursor=110)).deleted == 110


@pytest.mark.parametrize("days", [None, 0, 366, -1, "30", 30.5, True])
def test_refuses_a_retention_outside_a_year(stack: Stack, days: object) -> None:
    add(alerts, [alert(id="stays")])
    body = envelope(
        **{"detail-type": "alerts/cleanup.resolved.alerts"}, data={"organization_id": "org-1", "retention_days": days}
    )

    answer = handler(stack.message(body), Context())
    stack.work_off(handler)

    assert answer == {"batchItemFailures": []}
    row = stack.row("alerts-cleanup-resolved")
    assert row.status == "failed"
    assert row.error is not None
    assert "retention_days: Input should be" in row.error["message"]
    assert len(stack.dead_letters()) == 1
    assert alert_ids() == {"stays"}


def test_records_how_many_were_deleted(stack: Stack) -> None:
    add(alerts, [alert() for _ in range(3)])
    body = envelope(
        **{"detail-type": "alerts/cleanup.resolved.alerts"}, data={"organization_id": "org-1", "retention_days": 30}
    )

    handler(stack.message(body), Context())

    assert stack.row("alerts-cleanup-resolved").output == {"deleted": 3}


def test_an_event_that_is_dated_ahead_deletes_nothing_of_today(stack: Stack) -> None:
    add(alerts, [alert(id="fresh", resolved_at=NOW - timedelta(days=1))])
    body = envelope(
        **{"detail-type": "alerts/cleanup.resolved.alerts"},
        data={"organization_id": "org-1", "retention_days": 30},
        metadata={"ts": 4_000_000_000_000},
    )

    handler(stack.message(body), Context())

    assert alert_ids() == {"fresh"}
