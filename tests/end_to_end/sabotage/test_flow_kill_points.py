"""A workflow's worker, or the recorder, dies before and after every call that the engine makes.

A step's effect under `once="repeat"` happens exactly once, but for a worker that dies between the effect and its
record. A step without an effect may run twice.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.sabotage.driving import KillPoint, Sabotage
from tests.end_to_end.sabotage.kill_point_runs import Outcome, Scenario, kill_everywhere

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("sabotage"), pytest.mark.timeout(600)]

FLOW = "sabotage-flow"
SCENARIOS = [
    Scenario("a flow", FLOW),
    Scenario("a flow whose step fails once", FLOW, {"deeds": ["fail", "finish"]}),
    Scenario("a flow that cannot succeed", FLOW, {"deeds": ["refuse"]}, "failed", ()),
]
NAMES = [scenario.name for scenario in SCENARIOS]
RECORD = "UpdateItem idempotency status=COMPLETED"
Outcomes = dict[str, dict[KillPoint | None, Outcome]]


@pytest.fixture(scope="module")
def outcomes(sabotage: Sabotage) -> Outcomes:
    return kill_everywhere(sabotage, SCENARIOS)


def expected(scenario: Scenario, point: KillPoint | None) -> tuple[str, dict[str, int]]:
    """Return how a run whose worker died at `point` ends, and how often each effect is done."""
    what = "told" if scenario.status == "failed" else "effect"
    return scenario.status, {what: 2 if str(point) in {f"after the {what}", f"before {RECORD}"} else 1}


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
def test_each_failure_is_news_once_and_no_dead_letter(outcomes: Outcomes, scenario: Scenario) -> None:
    for point, outcome in outcomes[scenario.name].items():
        news = ["completed"] if scenario.status == "failed" else []

        assert (str(point), [each["status"] for each in outcome.news]) == (str(point), news)
        assert (str(point), outcome.letters) == (str(point), 0)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=NAMES)
def test_each_run_is_shown_with_its_start_and_its_end(outcomes: Outcomes, scenario: Scenario) -> None:
    for point, outcome in outcomes[scenario.name].items():
        [row] = outcome.rows
        assert (str(point), row["attempts"]) == (str(point), 1)
        assert row["accepted_at"] <= row["started_at"] <= row["ended_at"], str(point)


def test_a_failed_run_names_its_step(outcomes: Outcomes) -> None:
    errors = [outcome.rows[0]["error"] for outcome in outcomes["a flow that cannot succeed"].values()]

    assert {(each["type"], each["step"]) for each in errors} == {("NonRetryableError", "act")}
