"""Which events and schedules wake which functions: what `make registry` derived from the template."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from shared.events.schedule import ScheduleFired
from shared.settings import settings

SHIPPED: Final = Path(__file__).with_suffix(".json")


class Woken(NamedTuple):
    """What wakes a function: events by their names, and a schedule by its name."""

    kind: Literal["task", "workflow", "platform"]
    events: frozenset[str]
    schedule: str | None


def registry() -> dict[str, Woken]:
    """Return what wakes each function, by its id."""
    return _read(settings().registry_path or str(SHIPPED))


@cache
def _read(path: str) -> dict[str, Woken]:
    functions: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))["functions"]
    return {
        function: Woken(
            kind=entry["kind"],
            events=frozenset(entry["events"]),
            schedule=entry["schedule"]["name"] if entry["schedule"] else None,
        )
        for function, entry in functions.items()
    }


def woken_by(event_name: str) -> list[str]:
    """Return the ids of the functions that react to an event, sorted."""
    return sorted(function for function, woken in registry().items() if event_name in woken.events)


def reacts(function: str, event_name: str) -> bool:
    """Return whether a function is still deployed and woken by an event of this name."""
    woken = registry().get(function)
    if woken is None:
        return False
    return woken.schedule is not None if event_name == ScheduleFired.event_name else event_name in woken.events
