"""What tests make with keyword overrides instead of writing it out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

from shared.events.event import Event


class Greeted(Event):
    event_name: ClassVar[str] = "demo/greeted"

    name: str


@dataclass
class Context:
    """Lambda's context: `milliseconds` are left until the deadline."""

    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


def envelope(**overrides: Any) -> str:
    """The body of a `demo/greeted` message; keywords replace the envelope's, `data` and `metadata` the detail's."""
    detail = {
        "data": overrides.pop("data", {"name": "Ada"}),
        "metadata": {"id": "event-1"} | overrides.pop("metadata", {}),
    }
    return json.dumps(
        {"detail-type": "demo/greeted", "source": "test", "time": "2026-03-01T04:00:00Z", "detail": detail} | overrides
    )
