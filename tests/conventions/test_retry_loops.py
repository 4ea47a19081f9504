"""The loops around steps that raise RetryAfter, in the template's machines and in the tests' application."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.template.document import read_document
from shared.engine import Workflow
from shared.engine.effects import EFFECT_LIMIT
from tests.conventions.house import house
from tests.conventions.retry_loops import loop_problems, patience_problems, retry_problems

if TYPE_CHECKING:
    from collections.abc import Callable

STAGE: Final = Path(__file__).parents[1] / "end_to_end" / "application" / "stage"
STEP: Final = "ask_prompter"


def workflows() -> dict[str, tuple[Workflow[Any], dict[str, Any]]]:
    """Return each workflow with its machine, those of the end-to-end tests' application too."""
    files = dict(house().machine_files())
    found = {
        each.id: (each.definition, read_document(files[each.machine.logical_id]))
        for each in house().functions
        if each.machine and isinstance(each.definition, Workflow)
    }
    for file in STAGE.glob("*.asl.yaml"):
        module = importlib.import_module(f"tests.end_to_end.application.stage.{file.name.partition('.')[0]}")
        found[module.workflow.id] = (module.workflow, read_document(file))
    return found


@pytest.mark.parametrize("workflow", workflows())
def test_a_step_that_raises_retry_after_has_its_loop_and_no_other_step_has(workflow: str) -> None:
    definition, machine = workflows()[workflow]
    declared = {name for name, step in definition.steps.items() if step.retry_after}

    assert loop_problems(machine, declared) == []


@pytest.mark.parametrize("workflow", workflows())
def test_no_task_tries_again_what_cannot_succeed(workflow: str) -> None:
    _, machine = workflows()[workflow]

    assert retry_problems(machine) == []


def well_formed() -> dict[str, Any]:
    return copy.deepcopy(read_document(STAGE / "wait.asl.yaml"))


ALL: Final = {"ErrorEquals": ["States.ALL"], "Next": "WaitedTooLong"}
BREAKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "no-retrier": (
        lambda s: s["AskPrompter"]["Retry"][0].update(ErrorEquals=["NonRetryableError"]),
        "not listed in Retry with MaxAttempts 0",
    ),
    "retrier-that-comes-late": (
        lambda s: s["AskPrompter"]["Retry"].reverse(),
        "not listed in Retry with MaxAttempts 0",
    ),
    "retrier-with-attempts": (
        lambda s: s["AskPrompter"]["Retry"][0].update(MaxAttempts=1),
        "not listed in Retry with MaxAttempts 0",
    ),
    "retrier-with-the-default-attempts": (
        lambda s: s["AskPrompter"]["Retry"][0].pop("MaxAttempts"),
        "not listed in Retry with MaxAttempts 0",
    ),
    "no-catch": (lambda s: s["AskPrompter"].pop("Catch"), "no Catch for RetryAfter alone"),
    "catch-that-comes-late": (lambda s: s["AskPrompter"]["Catch"].insert(0, ALL), "no Catch for RetryAfter alone"),
    "catch-of-other-errors-too": (
        lambda s: s["AskPrompter"]["Catch"][0]["ErrorEquals"].append("ValueError"),
        "no Catch for RetryAfter alone",
    ),
    "constant-seconds": (
        lambda s: s["AskPrompter"]["Catch"][0]["Assign"].update(seconds=30),
        "the Catch does not assign the seconds",
    ),
    "unparsed-seconds": (
        lambda s: s["AskPrompter"]["Catch"][0]["Assign"].update(seconds="{% $states.errorOutput.Cause.seconds %}"),
        "the Catch does not assign the seconds",
    ),
    "no-count": (lambda s: s["AskPrompter"]["Catch"][0]["Assign"].pop("waits"), "the Catch does not count"),
    "count-that-stands": (
        lambda s: s["AskPrompter"]["Catch"][0]["Assign"].update(waits="{% $waits %}"),
        "the Catch does not count",
    ),
    "no-choice": (
        lambda s: s["AskPrompter"]["Catch"][0].update(Next="WaitAsTold"),
        "the Catch does not lead to a Choice",
    ),
    "no-wait": (
        lambda s: s["MayWait"]["Choices"][0].update(Next="AskPrompter"),
        "the Choice does not lead to a Wait",
    ),
    "no-limit": (
        lambda s: s["MayWait"]["Choices"][0].update(Condition="{% $millis() + $seconds * 1000 <= $deadline %}"),
        "the Choice does not limit the count",
    ),
    "no-deadline": (
        lambda s: s["MayWait"]["Choices"][0].update(Condition="{% $waits <= 3 and $seconds < 60 %}"),
        "the Choice does not compare the time with a deadline",
    ),
    "count-that-never-began": (lambda s: s["Begin"]["Assign"].pop("waits"), "no state assigns $waits"),
    "deadline-that-never-began": (lambda s: s["Begin"]["Assign"].pop("deadline"), "no state assigns $deadline"),
    "constant-wait": (lambda s: s["WaitAsTold"].update(Seconds=30), "the Wait does not wait as told"),
    "wait-that-goes-elsewhere": (
        lambda s: s["WaitAsTold"].update(Next="Done"),
        "the Wait does not lead back to the step",
    ),
    "endless": (
        lambda s: s["MayWait"].update(Default="AskPrompter"),
        "the Choice's Default does not lead to a failure",
    ),
    "over-is-success": (
        lambda s: s["MayWait"].update(Default="Done"),
        "the Choice's Default does not lead to a failure",
    ),
    "over-is-nothing": (lambda s: s["MayWait"].pop("Default"), "the Choice's Default does not lead to a failure"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_finds_what_is_wrong_with_a_loop(broken: str) -> None:
    machine = well_formed()
    break_it, expected = BREAKS[broken]
    assert loop_problems(machine, {STEP}) == []

    break_it(machine["States"])
    found = loop_problems(machine, {STEP})

    assert any(expected in problem for problem in found), found
    assert all(problem.startswith("AskPrompter: ") for problem in found)


def test_finds_a_loop_around_a_step_that_does_not_raise_it() -> None:
    assert loop_problems(well_formed(), ()) == [
        "AskPrompter: handles RetryAfter, but its step is not declared retry_after"
    ]


def test_finds_a_broken_loop_inside_a_map() -> None:
    inner = well_formed()
    del inner["States"]["AskPrompter"]["Catch"]
    outer = {"StartAt": "Each", "States": {"Each": {"Type": "Map", "ItemProcessor": inner, "End": True}}}

    assert loop_problems(outer, {STEP}) == [
        "AskPrompter: no Catch for RetryAfter alone before what matches every error"
    ]


@pytest.mark.parametrize("break_it", [list.reverse, list.clear, lambda retry: retry[0].update(MaxAttempts=2)])
def test_finds_a_task_that_tries_again_in_vain(break_it: Callable[[Any], Any]) -> None:
    machine = well_formed()
    assert retry_problems(machine) == []

    break_it(machine["States"]["AskPrompter"]["Retry"])

    assert len(retry_problems(machine)) == 1


@pytest.mark.parametrize("workflow", workflows())
def test_a_steps_retries_outlast_its_effect(workflow: str) -> None:
    definition, machine = workflows()[workflow]
    limits = {
        name: (step.limit or EFFECT_LIMIT).total_seconds() for name, step in definition.steps.items() if step.once
    }

    assert patience_problems(machine, limits) == []


@pytest.mark.parametrize(
    ("retrier", "is_patient"),
    [
        ({"IntervalSeconds": 60, "MaxAttempts": 1}, True),
        ({"IntervalSeconds": 59, "MaxAttempts": 1}, False),
        ({"IntervalSeconds": 60, "MaxAttempts": 1, "JitterStrategy": "FULL"}, False),
        ({"IntervalSeconds": 5, "MaxAttempts": 4, "BackoffRate": 2}, True),
        ({"IntervalSeconds": 5, "MaxAttempts": 4, "BackoffRate": 2, "MaxDelaySeconds": 10}, False),
        ({"IntervalSeconds": 60, "MaxAttempts": 0}, False),
    ],
)
def test_finds_retries_that_give_up_before_the_effect_may_be_tried_again(
    retrier: dict[str, Any], is_patient: bool
) -> None:
    machine = well_formed()
    step, state = next(
        (state["Arguments"]["Payload"]["step"], state) for state in machine["States"].values() if "Arguments" in state
    )
    state["Retry"] = [
        {"ErrorEquals": ["NonRetryableError"], "MaxAttempts": 0},
        {"ErrorEquals": ["States.ALL"]} | retrier,
    ]

    assert (patience_problems(machine, {step: 60.0}) == []) == is_patient
