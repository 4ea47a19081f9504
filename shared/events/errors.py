"""Events about the error log."""

from __future__ import annotations

from typing import ClassVar

from shared.events.event import Event
from shared.events.retention import RetentionDays  # noqa: TC001 (pydantic resolves it at run time)


class CleanupOldErrors(Event):
    """Delete the error records that are older than the retention."""

    event_name: ClassVar[str] = "errors/cleanup.old.errors"

    retention_days: RetentionDays
