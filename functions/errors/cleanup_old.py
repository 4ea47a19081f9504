"""Delete the error records that are past the retention."""

from __future__ import annotations

from datetime import timedelta

from shared import database
from shared.engine import Run, Task
from shared.events.errors import CleanupOldErrors
from shared.retention import CleanupResult, delete_expired

task = Task("errors-cleanup-old", trigger=CleanupOldErrors, attempts=8)


@task
def cleanup_old(event: CleanupOldErrors, run: Run) -> CleanupResult:
    """Delete the records that are older than the cutoff."""
    error_log = database.tables.error_log
    expired = database.Expired(
        table=error_log,
        time=error_log.c.timestamp,
        key=error_log.c.id,
        before=run.event_time - timedelta(days=event.retention_days),
    )
    return delete_expired(expired, run)


handler = task.handler
