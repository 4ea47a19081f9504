"""The events of the stage."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.events.event import Event

Deed = Literal["finish", "fail", "refuse", "die", "hang"]
End = Literal[Deed, "time-out", "pause", "too-large", "bad-expression", "bad-path", "fail-state", "in-a-branch"]


class ActRequested(Event):
    """Act once. `deeds` says what each attempt does; the last goes for all that follow."""

    event_name: ClassVar[str] = "stage/act"

    diary: str  # the file to which everything that happens is written
    deeds: tuple[Deed, ...] = ("finish",)
    calls: int = 1  # over how many calls the work goes on
    gate: str = ""  # a file without which the work does not end
    deeds_when_told: tuple[Deed, ...] = ("finish",)  # what each attempt of on_failure does after it wrote


class RehearsalRequested(Event):
    """Learn the lines, pause, and recite them."""

    event_name: ClassVar[str] = "stage/rehearse"

    diary: str
    learn: tuple[Deed, ...] = ("finish",)
    recite: tuple[Deed, ...] = ("finish",)
    pause: int  # nominal seconds


class WaitRequested(Event):
    """Ask the prompter, who says each time in how many `seconds` to come again, then helps."""

    event_name: ClassVar[str] = "stage/wait"

    diary: str
    seconds: tuple[float, ...]


class EndRequested(Event):
    """End in the way that `how` names; a deed is one that a step does at each of its two attempts."""

    event_name: ClassVar[str] = "stage/end"

    diary: str
    how: End
