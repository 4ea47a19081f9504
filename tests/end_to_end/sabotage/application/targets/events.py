"""The events of the targets."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.events.event import Event

Deed = Literal["finish", "fail", "refuse", "later"]
Protection = Literal["none", "repeat", "stop"]


class WorkRequested(Event):
    """Do one effect a call. `deeds` says what each attempt does before it; the last goes for all that follow."""

    event_name: ClassVar[str] = "sabotage/work"

    deeds: tuple[Deed, ...] = ("finish",)
    protection: Protection = "repeat"  # of the effect, by `once`
    calls: int = 1  # over how many calls the work goes on
    seconds: float = 0.0  # which it takes before an effect
    ballast: str = ""


class PacedWorkRequested(WorkRequested):
    """The same, no faster than the throttle of its `lane` lets it."""

    event_name: ClassVar[str] = "sabotage/paced"

    lane: str


class FlowRequested(Event):
    """Prepare and do one effect. `deeds` says what each attempt of the second step does before the effect."""

    event_name: ClassVar[str] = "sabotage/flow"

    deeds: tuple[Deed, ...] = ("finish",)
    ballast: str = ""
