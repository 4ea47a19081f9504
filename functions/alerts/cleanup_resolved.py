"""Delete one organization's resolved alerts that are past its retention."""

from __future__ import annotations

from datetime import timedelta

from shared import database
from shared.engine import Run, Task
from shared.events.alerts import CleanupResolvedAlerts
from shared.retention import CleanupResult, delete_expired

task = Task("alerts-cleanup-resolved", trigger=CleanupResolvedAlerts, attempts=8)


@task
def cleanup_resolved(event: CleanupResolvedAlerts, run: Run) -> CleanupResult:
    """Delete the organization's alerts that were resolved before the cutoff; one without alerts has none to delete."""
    alerts = database.tables.alerts
    expired = database.Expired(
        table=alerts,
        time=alerts.c.resolved_at,
        key=alerts.c.id,
        before=run.event_time - timedelta(days=event.retention_days),
        where=(alerts.c.organization_id == event.organization_id, alerts.c.resolved),
    )
    return delete_expired(expired, run)


handler = task.handler
