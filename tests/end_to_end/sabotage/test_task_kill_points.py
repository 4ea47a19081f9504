"""A task's worker dies before and after every call that the engine makes: nothing is lost, nothing is done twice.

What is promised for an effect under `once`: outside the moment between the effect and its record it happens exactly
once. A worker that dies in that moment leaves an open question, which `repeat` answers with a second effect and `stop`
with a failed run. Without `once` the moment lasts to the end of the call: a task's handler is called at least once.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.sabotage.driving import KillPoint, Sabotage
from tests.end_to_end.sabotage.kill_point_runs import Outcome, Scenario, kill_everywhere

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("sabotage"), pytest.mark.timeout(600)]

WORK, PACED = "sabotage-work", "sabotage-paced"
AGAIN = "UpdateItem ledger status=running"
SCENARIOS = [
    Scenario("waits for its slot", PACED, until=AGAIN, waits=True),  # first: its slot does not wait
    Scenario("unprotected", WORK, {"protection": "none"}),
    Scenario("repeat", WORK),
    Scenario("stop", WORK, {"protection": "stop"}),
    Scenario("fails every attempt", WORK, {"deeds": ["fail"]}, "failed", (), until="UpdateItem ledger status=failed"),
    Scenario("cannot succeed", WORK, {"deeds": ["refuse"]}, "failed", ()),
    Scenario("is no event", WORK, status="failed", effects=(), garbage=True),
    Scenario("goes on in another call", WORK, {"calls": 2}, effects=("effect 1", "effect 2")),
    Scenario("asks for a later time", WORK, {"deeds": ["later"]}, until=AGAIN),
]
NAMES = [scenario.name for scenario in SCENARIOS]
CLAIM, RECORD = "PutItem idempotency", "UpdateItem idempotency status=COMPLETED"
DEAD = f"SendMessage {WORK}-dead"
Outcomes = dict[str, dict[KillPoint | None, Outcome]]


@pytest.fixture(scope="module")
def outcomes(sabotage: Sabotage) -> Outcomes:
    return kill_everywhere(sabotage, SCENARIOS)


def window(name: str, what: str) -> set[str]:
    """Return the kill points between the effect `what` and its record."""
    number = " (2)" if what == "effect 2" else ""
    record = "UpdateItem ledger status=completed" if name == "unprotected" else RECORD
    return {f"after the {what}", f"before {record}{number}"}


def expected(scenario: Scenario, point: KillPoint | None) -> tuple[str, dict[str, int]]:
    """Return how a run whose worker died at `point` ends, and how often each effect is done."""
    if scenario.name == "stop" and str(point) in {f"after {CLAIM}", "before the effect"}:
        return "failed", {"told": 1}
    if scenario.name == "stop" and str(point) in window("stop", "effect"):
        return "failed", {"effect": 1, "told": 1}
    # of what is no event, there is nothing that on_failure could be told
    told = scenario.status == "failed" and not scenario.garbage
    done = dict.fromkeys(scenario.effects, 1) | ({"told": 1} if told else {})
    return scenario.status, {what: 2 if str(point) in window(scenario.name, what) else 1 for what in done}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_each_worker_dies_once_where_planned_and_its_run_is_listed_once(outcomes: Outcomes, scenario: Scenario) -> None:
    for point, outcome in outcomes[scenario.name].items():
        deaths = 0 if point is None or outcome.reached[point.label] < point.occurrence else 1

        assert (str(point), len(outcome.kills), len(outcome.rows)) == (str(point), deaths, 1)
        assert point is None or point.occurrence > 1 or deaths == 1, f"{scenario.name} never comes by {point}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_each_run_ends_as_it_should_with_its_effects_done_as_promised(outcomes: Outcomes, scenario: Scenario) -> None:
    found = {str(point): (each.status, dict(each.done)) for point, each in outcomes[scenario.name].items()}

    assert found == {str(point): expected(scenario, point) for point in outcomes[scenario.name]}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_each_failure_is_a_dead_letter_and_news_once(outcomes: Outcomes, scenario: Scenario) -> None:
    # between the letter and the note of it
    twice = {f"after {DEAD}", "before PutEvents", "after PutEvents", "before UpdateItem ledger failure=told"}
    if scenario.garbage:
        twice = {f"after {DEAD}", "before PutItem ledger run"}
    for point, outcome in outcomes[scenario.name].items():
        failed = outcome.status == "failed"
        # a second copy is the same message: an event moved back twice is one run of the next generation
        letters = 0 if not failed else 2 if str(point) in twice else 1

        assert (str(point), outcome.letters) == (str(point), letters)
        assert (str(point), [each["status"] for each in outcome.news]) == (str(point), ["completed"] * failed)


def test_a_failed_run_says_why(outcomes: Outcomes) -> None:
    errors = {name: {outcome.error for outcome in outcomes[name].values()} for name in NAMES}

    assert errors["fails every attempt"] == {"SabotageError", "WorkerDiedError"}
    assert errors["cannot succeed"] == {"HopelessError"}
    assert errors["is no event"] == {"InvalidMessageError"}
    assert errors["stop"] == {"", "EffectUnknownError"}
    assert errors["repeat"] == errors["goes on in another call"] == errors["waits for its slot"] == {""}
