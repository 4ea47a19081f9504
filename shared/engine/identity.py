"""Names that are the same on every redelivery: run ids, execution names, ids of events that a run sends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

_NAME = re.compile(r"(?P<uuid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:-(?P<generation>[1-9][0-9]{0,8}))?")


@dataclass(frozen=True, order=True)
class RunId:
    """One execution of one function for one event; `generation` counts the replays that were asked for."""

    uuid: str
    generation: int = 0

    @classmethod
    def of(cls, function: str, event_id: str, generation: int = 0) -> RunId:
        """Return the id of `function`'s run for the event `event_id`: always the same for the same three."""
        return cls(str(uuid5(NAMESPACE_URL, f"nightshift:{function}:{event_id}")), generation)

    @classmethod
    def parse(cls, name: str) -> RunId:
        """Return the id that `str()` wrote; raise ValueError if `name` is none."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"not a run id: {name[:100]!r}")
        return cls(str(UUID(match["uuid"])), int(match["generation"] or 0))

    def execution_of(self, machine_arn: str) -> str:
        """Return the ARN of the run's execution by the state machine `machine_arn`."""
        return f"{machine_arn.replace(':stateMachine:', ':execution:')}:{self}"

    def __str__(self) -> str:
        return f"{self.uuid}-{self.generation}" if self.generation else self.uuid

    def event_id(self, key: str) -> str:
        """Return the id of the event that this run sends under `key`: sent again, it is the same event."""
        return f"{self}/{key}"
