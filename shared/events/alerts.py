"""Events about alerts."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.events.event import Event
from shared.events.retention import RetentionDays  # noqa: TC001 (pydantic resolves it at run time)


class CleanupResolvedAlerts(Event):
    """Delete one organization's resolved alerts that are older than its retention."""

    event_name: ClassVar[str] = "alerts/cleanup.resolved.alerts"

    organization_id: str = Field(min_length=1)
    retention_days: RetentionDays
