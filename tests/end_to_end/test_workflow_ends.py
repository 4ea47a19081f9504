"""However an execution ends, its run ends with it, and its history names the step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.engine.history import FailingStep, failing_step
from tests.end_to_end.running import until

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:nightshift_stage-end"
LOST = "ForgottenLinesError: there is no text"
TOO_LARGE = "The state/task 'SayTooMuch' returned a result with a size exceeding"
ENDS: dict[str, tuple[str, FailingStep]] = {
    "fail": ("failed", FailingStep("Perform", "perform", 2, "StageFrightError", "attempt 2 fails as asked")),
    "refuse": ("failed", FailingStep("Perform", "perform", 1, "NonRetryableError", LOST)),
    "die": ("failed", FailingStep("Perform", "perform", 2, "Runtime.ExitError", "RequestId: ")),
    "time-out": ("failed", FailingStep("TakeTooLong", "perform", 1, "States.Timeout", "")),
    "too-large": ("failed", FailingStep("SayTooMuch", "SayTooMuch", 0, "States.DataLimitExceeded", TOO_LARGE)),
    "bad-expression": ("failed", FailingStep("SayNothing", "SayNothing", 0, "States.QueryEvaluationError", "An error")),
    "bad-path": ("failed", FailingStep("LoseTheWay", "LoseTheWay", 0, "States.Runtime", "")),
    "fail-state": ("failed", FailingStep("GiveUp", "GiveUp", 0, "StageFrightError", "nobody came")),
    "in-a-branch": ("failed", FailingStep("PerformInTheBranch", "perform", 1, "StageFrightError", "attempt 1 fails")),
    "pause": ("failed", FailingStep("Pause", "Pause", 0, "States.Timeout", "")),
}


@pytest.fixture(scope="module")
def ended(stage: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All ends at once: the execution's time-out takes its seconds."""
    diary = str(tmp_path_factory.mktemp("ends") / "diary")
    runs = {how: stage.send("stage/end", {"diary": diary, "how": how}) for how in ENDS}
    return {how: stage.ended(run) for how, run in runs.items()}


@pytest.mark.parametrize("how", ENDS)
def test_an_end_is_known_with_its_step(stage: RunningStack, ended: dict[str, dict[str, Any]], how: str) -> None:
    status, expected = ENDS[how]
    run = ended[how]

    found = failing_step(stage.client("stepfunctions"), f"{EXECUTION}:{run['run_id']}")

    assert found is not None
    assert (run["status"], found.state, found.step, found.attempts, found.error) == (
        status,
        expected.state,
        expected.step,
        expected.attempts,
        expected.error,
    )
    assert found.message.startswith(expected.message)


def test_a_stop_is_known_with_the_step_that_it_interrupted(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/end", {"diary": str(diary.path), "how": "hang"})
    until(lambda: diary.entries("started"), "the step's call")

    client = stage.client("stepfunctions")
    client.stop_execution(executionArn=f"{EXECUTION}:{run}", error="Fire", cause="the theatre burns")

    assert stage.ended(run)["status"] == "cancelled"
    assert failing_step(client, f"{EXECUTION}:{run}") == FailingStep(
        "Perform", "perform", 1, "Fire", "the theatre burns"
    )


def test_a_run_that_ends_well_has_no_such_step(stage: RunningStack, diary: Diary) -> None:
    run = stage.send("stage/end", {"diary": str(diary.path), "how": "finish"})

    assert stage.ended(run)["output"] == {"said": "stage-end is over"}
    assert failing_step(stage.client("stepfunctions"), f"{EXECUTION}:{run}") is None
