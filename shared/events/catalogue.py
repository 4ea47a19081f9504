"""All events that Nightshift knows, by name: for the workshop; a function imports only the events that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared.events.alerts import CleanupResolvedAlerts
from shared.events.errors import CleanupOldErrors
from shared.events.outcomes import FunctionCancelled, FunctionFailed
from shared.events.schedule import ScheduleFired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.events.event import Event

CATALOGUE: Final[Mapping[str, type[Event]]] = {
    event.event_name: event
    for event in (CleanupResolvedAlerts, CleanupOldErrors, FunctionFailed, FunctionCancelled, ScheduleFired)
}
