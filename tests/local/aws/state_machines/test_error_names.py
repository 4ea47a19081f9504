"""An error has the same name inside and outside of a branch or an iteration, and is caught by it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.aws.state_machines.machines import Machines

CAUGHT = {"Type": "Succeed", "Output": "caught"}
LATE = task("hangs", TimeoutSeconds=1)
LARGE = task("talkative")
NOTHING = {"Type": "Pass", "Output": "{% $nothing %}", "End": True}
UNDECIDED = {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "Other"}]}
NO_BOOLEAN = {"Type": "Choice", "Choices": [{"Condition": "{% 'yes' %}", "Next": "Other"}], "Default": "Other"}


@pytest.fixture(autouse=True)
def work(machines: Machines) -> Iterator[None]:
    released = threading.Event()
    machines.functions.by_name |= {
        "hangs": lambda _: released.wait(30),
        "talkative": lambda _: "x" * 300_000,
    }
    yield
    released.set()


def flow(state: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": "Inner", "States": {"Inner": state, "Other": {"Type": "Succeed"}}}


def around(kind: str, state: dict[str, Any], **more: Any) -> dict[str, Any]:
    if kind == "Parallel":
        outer = {"Type": "Parallel", "Branches": [flow(state)]}
    else:
        outer = {"Type": "Map", "Items": [1], "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **flow(state)}}
    return {"Outer": {**outer, "End": True, **more}, "Caught": CAUGHT}


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
@pytest.mark.parametrize(
    ("state", "error"),
    [
        (LATE, "States.Timeout"),
        (LARGE, "States.DataLimitExceeded"),
        (NOTHING, "States.QueryEvaluationError"),
        (UNDECIDED, "States.NoChoiceMatched"),
        (NO_BOOLEAN, "States.QueryEvaluationError"),
        ({"Type": "Fail", "Error": "Mine"}, "Mine"),
        ({"Type": "Fail"}, None),
    ],
    ids=["timeout", "too-large", "undefined", "no-choice", "no-boolean", "own", "nameless"],
)
def test_an_error_keeps_its_name_on_its_way_out(
    machines: Machines, kind: str, state: dict[str, Any], error: str | None
) -> None:
    described = machines.run(around(kind, state))

    assert (described["status"], described.get("error")) == ("FAILED", error)


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
@pytest.mark.parametrize(
    ("state", "error"),
    [(LATE, "States.Timeout"), (UNDECIDED, "States.NoChoiceMatched"), (NOTHING, "States.ALL")],
    ids=["timeout", "no-choice", "any"],
)
def test_an_error_is_caught_by_its_name_outside(
    machines: Machines, kind: str, state: dict[str, Any], error: str
) -> None:
    states = around(kind, state, Catch=[{"ErrorEquals": [error], "Next": "Caught"}])

    assert machines.output(states) == "caught"


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_data_over_the_limit_is_not_caught_outside_either(machines: Machines, kind: str) -> None:
    described = machines.run(around(kind, LARGE, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]))

    assert (described["status"], described["error"]) == ("FAILED", "States.DataLimitExceeded")


@pytest.mark.parametrize(
    ("state", "error"), [(UNDECIDED, "States.NoChoiceMatched"), (NO_BOOLEAN, "States.QueryEvaluationError")]
)
def test_a_choice_that_cannot_choose_says_so(machines: Machines, state: dict[str, Any], error: str) -> None:
    described = machines.run(flow(state)["States"])

    assert (described["status"], described["error"]) == ("FAILED", error)
    assert "Inner" in described["cause"]
