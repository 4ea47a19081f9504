"""What the steps of a workflow's run did, from its execution's history."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from shared.engine.history import Attempt, History, events_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_stepfunctions import SFNClient


@dataclass
class StepRun:
    """One pass through a task state: what it was given, what it answered, and its attempts."""

    state: str
    step: str
    input: Any = None
    output: Any = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`running`, `completed` or `failed`, as its last attempt is."""
        last = self.attempts[-1]
        if last.ended_at is None:
            return "running"
        return "failed" if last.error else "completed"

    def as_dict(self) -> dict[str, Any]:
        """Return what `nightshift show --json` shows of it."""
        return {"status": self.status} | asdict(self)


def steps_of(client: SFNClient, execution_arn: str) -> list[StepRun]:
    """Return the steps of an execution in the order in which they began; none if there is no such execution."""
    try:
        return read_history(events_of(client, execution_arn))
    except client.exceptions.ExecutionDoesNotExist:
        return []


def read_history(events: Iterable[Mapping[str, Any]]) -> list[StepRun]:
    """Return the steps that a history tells of."""
    return [
        StepRun(visit.state, visit.step, visit.input, visit.output, visit.attempts)
        for visit in History(events, keep_data=True).visits.values()
        if visit.attempts
    ]
