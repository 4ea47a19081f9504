"""The event that a schedule puts into its function's inbox."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (pydantic resolves it at run time)
from typing import ClassVar

from shared.events.event import Event


class ScheduleFired(Event):
    """A schedule was due. `scheduled_at` is when it should have fired, not when the message arrived."""

    event_name: ClassVar[str] = "nightshift/schedule.fired"

    schedule: str
    scheduled_at: datetime
