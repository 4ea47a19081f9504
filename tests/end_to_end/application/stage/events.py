"""The events of the stage."""

from __future__ import annotations

from typing import ClassVar, Literal

from shared.events.event import Event

Deed = Literal["finish", "fail", "refuse", "die", "hang"]


class ActRequested(Event):
    """Act once. `deeds` says what each attempt does; the last goes for all that follow."""

    event_name: ClassVar[str] = "stage/act"

    diary: str  # the file to which everything that happens is written
    deeds: tuple[Deed, ...] = ("finish",)
    calls: int = 1  # over how many calls the work goes on
    gate: str = ""  # a file without which the work does not end


class RehearsalRequested(Event):
    """Learn the lines, pause, and recite them."""

    event_name: ClassVar[str] = "stage/rehearse"

    diary: str
    learn: tuple[Deed, ...] = ("finish",)
    recite: tuple[Deed, ...] = ("finish",)
    pause: int  # nominal seconds
