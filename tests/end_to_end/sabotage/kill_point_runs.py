"""A scenario's runs: one that nobody disturbs, and one for each place at which its worker can die."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared import clock
from shared.engine.gcra import Slots
from shared.engine.policies import Rate
from tests.end_to_end.sabotage.driving import KillPoint, Sabotage, points_of

if TYPE_CHECKING:
    from collections.abc import Mapping

LANE_WAIT = 6  # seconds for which a lane has no slot after its event was sent: more than it takes to arrive


@dataclass(frozen=True)
class Scenario:
    """What is asked of a function, how it ends, and which effects it has.

    `until` is the call after which its worker is not killed: other scenarios go on in the same way. With `waits` there
    is no slot for it when it comes. What is `garbage` is no event.
    """

    name: str
    function: str
    data: Mapping[str, Any] = field(default_factory=dict)
    status: str = "completed"
    effects: tuple[str, ...] = ("effect",)
    until: str = ""
    waits: bool = False
    garbage: bool = False


@dataclass
class Outcome:
    """What became of one run: its rows, what it did by how often, its copies in the dead-letter queue, its deaths.

    `reached` are the labels that it came by, over all of its calls.
    """

    reached: Counter[str]
    rows: list[dict[str, Any]]
    done: Counter[str]
    letters: int
    news: list[dict[str, Any]]
    kills: list[str]

    @property
    def status(self) -> str:
        """How the one run ended."""
        [row] = self.rows
        return str(row["status"])

    @property
    def error(self) -> str:
        """The class of the run's error, empty without one."""
        [row] = self.rows
        return str((row["error"] or {}).get("type", ""))


@dataclass(frozen=True)
class Sent:
    """A run and the name of its plan."""

    run: str
    plan: str


def send(sabotage: Sabotage, scenario: Scenario, point: KillPoint | None = None) -> Sent:
    """Send the scenario's event once, with a plan that kills at `point`."""
    event_id = f"{scenario.name}, {point or 'undisturbed'}"
    lane = {}
    if scenario.garbage:
        return Sent(sabotage.send_garbage(scenario.function, name=event_id, point=point), event_id)
    if scenario.waits:
        lane = {"lane": event_id}
        _fill(sabotage, event_id)
    run = sabotage.send(scenario.function, {**scenario.data, **lane}, event_id=event_id, point=point)
    return Sent(run, run)


def kill_everywhere(sabotage: Sabotage, scenarios: list[Scenario]) -> dict[str, dict[KillPoint | None, Outcome]]:
    """Run each scenario undisturbed, then once a kill point, and return the outcomes by scenario and point."""
    for each in scenarios:  # a worker's first call takes long enough to be ended at this time scale, and repeated
        sabotage.send(each.function, {"lane": "warm"}, event_id=f"warm {each.name}")
    sabotage.settle()
    runs: dict[str, dict[KillPoint | None, Sent]] = {each.name: {None: send(sabotage, each)} for each in scenarios}
    sabotage.settle()
    for each in scenarios:
        for point in points_of(sabotage.labels(runs[each.name][None].plan), until=each.until):
            runs[each.name][point] = send(sabotage, each, point)
    sabotage.settle()
    known = _Known.read(sabotage, {each.function for each in scenarios})
    return {name: {point: known.outcome(sent) for point, sent in points.items()} for name, points in runs.items()}


def _fill(sabotage: Sabotage, lane: str) -> None:
    """Take a lane's slots, so that its next run waits."""
    slots = Slots(sabotage.stack.client("dynamodb"), "nightshift_flow")
    for number in range(LANE_WAIT):
        slots.reserve(
            f'throttle#sabotage-paced#lane="{lane}"',
            Rate(10**9, 1),
            run=str(number),
            now=clock.milliseconds(clock.now()),
        )


@dataclass
class _Known:
    """All that the stack shows of what happened."""

    sabotage: Sabotage
    rows: list[dict[str, Any]]
    entries: list[dict[str, Any]]
    letters: Counter[str]
    news: list[dict[str, Any]]
    kills: list[str]

    @classmethod
    def read(cls, sabotage: Sabotage, functions: set[str]) -> _Known:
        stack = sabotage.stack
        return cls(
            sabotage,
            [row for function in functions for row in stack.runs(function)],
            sabotage.entries(),
            Counter(each["RunId"] for function in functions for each in stack.take_dead_letters(function)),
            stack.runs("sabotage-watch"),
            sabotage.kills(),
        )

    def outcome(self, sent: Sent) -> Outcome:
        run = sent.run
        rows = [row for row in self.rows if row["run_id"] == run]
        event_id = rows[0]["event_id"] if rows else ""
        return Outcome(
            Counter(self.sabotage.labels(sent.plan)),
            rows,
            Counter(each["what"] for each in self.entries if each["event_id"] == event_id and "kept" not in each),
            self.letters[run],
            [each for each in self.news if each["output"] == run],
            [each for each in self.kills if each.startswith(f"{sent.plan}: ")],
        )
