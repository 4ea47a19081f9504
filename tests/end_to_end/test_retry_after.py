"""A step that is told when to come again waits as told, and not for ever."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from shared.engine.history import FailingStep, failing_step

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:nightshift_stage-wait"


def send(stage: RunningStack, diary: Diary, *seconds: float) -> str:
    return stage.send("stage/wait", {"diary": str(diary.path), "seconds": seconds})


def pauses(run: dict[str, Any]) -> list[float]:
    """Return the seconds between the end of each call of the step and the start of the next."""
    calls = [step["attempts"][0] for step in run["steps"]]
    return [
        (datetime.fromisoformat(after["started_at"]) - datetime.fromisoformat(before["ended_at"])).total_seconds()
        for before, after in pairwise(calls)
    ]


def test_a_step_is_called_again_when_it_said(stage: RunningStack, diary: Diary) -> None:
    ended = stage.ended(send(stage, diary, 0.4, 2))

    assert (ended["status"], ended["output"]) == ("completed", {"line": "that is the question", "waits": 2})
    assert [step["attempts"][0]["error"] for step in ended["steps"]] == [
        {"type": "RetryAfter", "message": '{"seconds": 0.4}'},
        {"type": "RetryAfter", "message": '{"seconds": 2.0}'},
        None,
    ]
    first, second = pauses(ended)
    assert (first >= 1, second >= 2) == (True, True)
    assert [entry["waits"] for entry in diary.entries("asked")] == [0, 1, 2]


def test_a_step_that_never_helps_fails_the_run_by_its_name(stage: RunningStack, diary: Diary) -> None:
    often, late = send(stage, diary, *[0.1] * 9), send(stage, diary, 9_000)

    ends = {run: stage.ended(run) for run in (often, late)}

    for run, message, calls in ((often, "1 s, at wait 4", 4), (late, "9000 s, at wait 1", 1)):
        error = {"type": "RetryAfter", "message": f"the prompter asked for {message}"}
        assert (ends[run]["status"], ends[run]["error"]) == ("failed", error | {"step": "ask_prompter", "attempt": 1})
        assert len(ends[run]["steps"]) == calls
        assert failing_step(stage.client("stepfunctions"), f"{EXECUTION}:{run}") == FailingStep(
            "AskPrompter", "ask_prompter", 1, error["type"], error["message"]
        )
