"""A task's run survives what its handler does to it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.running import until

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def test_goes_on_with_continue_over_several_calls(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/act", {"diary": str(diary.path), "calls": 4})

    ended = stage.ended(run)

    assert (ended["status"], ended["output"]) == ("completed", {"calls": 4})
    assert [entry["call"] for entry in diary.entries("effect")] == [1, 2, 3, 4]
    assert {entry["attempt"] for entry in diary.entries("effect")} == {1}


def test_a_task_that_fails_twice_succeeds_on_its_third_attempt(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/act", {"diary": str(diary.path), "deeds": ["fail", "fail", "finish"]})

    seen = until(
        lambda: next((each for each in stage.runs("stage-act") if each["run_id"] == run and each["error"]), None),
        "a failed attempt in the list of runs",
    )
    ended = stage.ended(run)

    assert seen["status"] == "running"
    assert seen["error"]["type"] == "StageFrightError"
    assert (ended["status"], ended["attempts"], ended["error"]) == ("completed", 3, None)
    assert [entry["attempt"] for entry in diary.entries("started")] == [1, 2, 3]
    assert len(diary.entries("effect")) == 1


def test_a_task_that_cannot_succeed_is_tried_once(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/act", {"diary": str(diary.path), "deeds": ["refuse"]})

    ended = stage.ended(run)

    assert (ended["status"], ended["attempts"]) == ("failed", 1)
    assert ended["error"] == {"type": "ForgottenLinesError", "message": "there is no text", "attempt": 1}


def test_a_worker_over_its_deadline_is_ended_and_the_run_tried_again(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/act", {"diary": str(diary.path), "deeds": ["hang", "finish"]})

    ended = stage.ended(run)

    assert (ended["status"], ended["attempts"]) == ("completed", 2)
    assert len(diary.entries("effect")) == 1
    assert "Task timed out after 60.00 seconds" in stage.log("stage-act")


def test_a_worker_killed_in_mid_handler_loses_nothing(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/act", {"diary": str(diary.path), "deeds": ["hang", "finish"]})
    [started] = until(lambda: diary.entries("started"), "the handler to start", every=0.02)
    assert started["pid"] in stage.busy_workers("stage-act")

    os.kill(started["pid"], signal.SIGKILL)

    ended = stage.ended(run)
    assert (ended["status"], ended["attempts"], ended["output"]) == ("completed", 2, {"calls": 1})
    assert len(diary.entries("started")) == 2
    assert len(diary.entries("effect")) == 1
    stage.drained("stage-act")
