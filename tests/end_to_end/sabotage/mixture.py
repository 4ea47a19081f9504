"""What a soak sends: events of every kind, drawn by a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.end_to_end.sabotage.driving import entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COPIES: Final = 3  # of an event that comes several times at once
REPEATED: Final = 0.1  # of the events
STRUCK: Final = 0.03  # of the events have a plan: their workers may die at each kill point
CHANCE: Final = 0.08  # of a death, at each of them
LARGE: Final = 250_000  # characters: more than travels in a row or a state
LANES: Final = 40  # events a throttle's lane: few wait long


@dataclass(frozen=True)
class Kind:
    """One sort of event: what is asked of which function, which effects that has, and whether it can succeed."""

    name: str
    function: str
    share: float
    data: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[str, ...] = ("effect",)
    succeeds: bool = True


WORK, PACED, FLOW = "sabotage-work", "sabotage-paced", "sabotage-flow"
KINDS: Final = (
    Kind("task", WORK, 32),
    # long enough to be at work when its copies arrive: only the ledger keeps them from it
    Kind("task, effect not protected", WORK, 10, {"protection": "none", "seconds": 0.1}),
    Kind("task, effect stops", WORK, 6, {"protection": "stop"}),
    Kind("task, fails first", WORK, 10, {"deeds": ["fail", "finish"]}),
    Kind("task, in three calls", WORK, 4, {"calls": 3}, tuple(f"effect {call}" for call in (1, 2, 3))),
    Kind("task, asks for later", WORK, 2, {"deeds": ["later"]}),
    Kind("task, fails", WORK, 2, {"deeds": ["fail"]}, (), succeeds=False),
    Kind("task, hopeless", WORK, 4, {"deeds": ["refuse"]}, (), succeeds=False),
    Kind("task, large", WORK, 1, {"ballast": "x" * LARGE}),
    Kind("task, throttled", PACED, 3),
    Kind("workflow", FLOW, 16),
    Kind("workflow, fails first", FLOW, 5, {"deeds": ["fail", "finish"]}),
    Kind("workflow, hopeless", FLOW, 4, {"deeds": ["refuse"]}, (), succeeds=False),
    Kind("workflow, large", FLOW, 1, {"ballast": "x" * LARGE}),
)


@dataclass(frozen=True)
class Order:
    """One event that is sent `copies` times at once."""

    kind: Kind
    event_id: str
    copies: int
    is_struck: bool

    def entries(self, lane: str) -> list[dict[str, Any]]:
        """Return what PutEvents takes."""
        data = dict(self.kind.data) | ({"lane": lane} if self.kind.function == PACED else {})
        return [entry(self.kind.function, data, self.event_id)] * self.copies


def orders(number: int, seed: int, *, name: str = "soak", struck: float = STRUCK) -> Iterator[Order]:
    """Yield so many different events, whose ids begin with `name`; the share `struck` of them has a plan."""
    random = Random(seed)
    shares = [kind.share for kind in KINDS]
    for place in range(number):
        [kind] = random.choices(KINDS, shares)
        copies = COPIES if random.random() < REPEATED and kind.data.get("ballast") is None else 1
        yield Order(kind, f"{name}-{place}", copies, random.random() < struck)
