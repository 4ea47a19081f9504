"""A workflow's run shows each step's attempts, and ends as its execution does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.running import until

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

ACCOUNT = "arn:aws:states:us-east-1:123456789012"


def test_a_step_that_fails_twice_is_shown_with_its_attempts(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/rehearse", {"diary": str(diary.path), "learn": ["fail", "fail", "finish"], "pause": 1})

    ended = stage.ended(run)

    assert (ended["status"], ended["output"]) == ("completed", {"recited": 2})
    learn, recite = ended["steps"]
    assert (learn["step"], learn["status"], learn["output"]) == ("learn", "completed", ["to be", "or not to be"])
    assert [(attempt["error"] or {}).get("type") for attempt in learn["attempts"]] == [
        "StageFrightError",
        "StageFrightError",
        None,
    ]
    assert learn["attempts"][0]["error"]["message"] == "attempt 1 fails as asked"
    assert (recite["step"], recite["status"], len(recite["attempts"])) == ("recite", "completed", 1)
    assert recite["input"]["lines"] == ["to be", "or not to be"]
    assert [entry["attempt"] for entry in diary.entries("learnt")] == [3]


def test_a_step_whose_process_dies_is_tried_again(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/rehearse", {"diary": str(diary.path), "recite": ["die", "finish"], "pause": 1})

    ended = stage.ended(run)

    assert (ended["status"], ended["output"]) == ("completed", {"recited": 2})
    _, recite = ended["steps"]
    assert [attempt["error"] is None for attempt in recite["attempts"]] == [False, True]
    assert recite["attempts"][0]["error"]["type"] == "Runtime.ExitError"
    assert len(diary.entries("learnt")) == 1


def test_a_step_that_cannot_succeed_fails_the_run_with_its_error(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/rehearse", {"diary": str(diary.path), "recite": ["refuse"], "pause": 1})

    ended = stage.ended(run)

    assert ended["status"] == "failed"
    assert ended["error"] == {
        "type": "NonRetryableError",
        "message": "ForgottenLinesError: there is no text",
        "step": "recite",
        "attempt": 1,
    }
    learn, recite = ended["steps"]
    assert learn["status"] == "completed"
    assert (recite["status"], len(recite["attempts"])) == ("failed", 1)
    assert diary.entries("recited") == []


def test_a_stopped_execution_is_a_cancelled_run(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/rehearse", {"diary": str(diary.path), "pause": 3_000})
    until(lambda: diary.entries("learnt"), "the first step's end")

    stage.client("stepfunctions").stop_execution(
        executionArn=f"{ACCOUNT}:execution:nightshift_stage-rehearse:{run}", cause="the theatre burns"
    )

    ended = stage.ended(run)
    assert (ended["status"], ended["error"]["message"]) == ("cancelled", "the theatre burns")
    assert [step["step"] for step in ended["steps"]] == ["learn"]
    assert diary.entries("recited") == []


def test_the_same_event_twice_is_one_execution(stage: RunningStack, diary: Diary) -> None:
    data = {"diary": str(diary.path), "pause": 1}
    first = stage.send("stage/rehearse", data, event_id=f"twice-{diary.path}")
    second = stage.send("stage/rehearse", data, event_id=f"twice-{diary.path}")

    ended = stage.ended(first)
    stage.drained("stage-rehearse")

    assert second == first
    assert ended["status"] == "completed"
    assert [run["run_id"] for run in stage.runs("stage-rehearse")].count(first) == 1
    assert (len(diary.entries("learnt")), len(diary.entries("recited"))) == (1, 1)
