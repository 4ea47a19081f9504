"""What a soak would call lost, and what done twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.end_to_end.sabotage.mixture import KINDS, Order
from tests.end_to_end.sabotage.tally import TOLD, Effects, effects_of, problems_of, untold

TASK = next(kind for kind in KINDS if kind.name == "task")
HOPELESS = next(kind for kind in KINDS if kind.name == "task, hopeless")
DONE = {"event_id": "event-1", "what": "effect"}
KEPT = DONE | {"kept": True}
ONCE = Effects(done=1, kept=1)


def row(status: str) -> dict[str, Any]:
    return {"function": "sabotage-work", "status": status}


def problems(status: str, effects: dict[str, Effects], *, hopeless: bool = False) -> list[str]:
    return problems_of(Order(HOPELESS if hopeless else TASK, "event-1", 1, is_struck=False), row(status), effects)


@pytest.mark.parametrize("diary", [[DONE, KEPT], [DONE, DONE, KEPT], [DONE]])
def test_an_effect_may_be_repeated_until_it_is_on_record(diary: list[dict[str, Any]]) -> None:
    assert problems("completed", effects_of(diary)["event-1"]) == []


@pytest.mark.parametrize("diary", [[DONE, KEPT, DONE], [DONE, KEPT, DONE, KEPT], [DONE, DONE, KEPT, KEPT]])
def test_an_effect_that_is_on_record_must_not_be_repeated(diary: list[dict[str, Any]]) -> None:
    [problem] = problems("completed", effects_of(diary)["event-1"])

    assert problem.startswith("'effect' was done twice")


@pytest.mark.parametrize(
    ("status", "effects", "said"),
    [
        ("running", {"effect": ONCE}, "it is running"),
        ("skipped", {}, "it is skipped"),
        ("completed", {}, "'effect' is lost"),
        ("completed", {"effect": ONCE, TOLD: ONCE}, "it was told as failed"),
    ],
)
def test_a_run_that_did_not_end_as_it_should_is_a_problem(status: str, effects: dict[str, Effects], said: str) -> None:
    assert problems(status, effects) == [said]


def test_what_cannot_succeed_must_not_have_completed() -> None:
    assert problems("failed", {TOLD: ONCE}, hopeless=True) == []
    assert problems("completed", {}, hopeless=True) == ["it cannot have succeeded"]


def test_everybody_has_to_know_of_a_failure() -> None:
    assert untold("run", row("failed"), {TOLD: ONCE}, news=1, letters=1) == []
    assert len(untold("run", row("failed"), {}, news=0, letters=0)) == 3
    assert untold("run", row("failed"), {TOLD: ONCE}, news=2, letters=2) == ["run: its failure was news 2 times"]
