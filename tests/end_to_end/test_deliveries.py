"""What the inbox may do to messages, and what messages may do to their neighbours."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.running import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def body(event_id: str, data: dict[str, Any]) -> str:
    """Return an inbox message with one `stage/act`."""
    detail = {"data": data, "metadata": {"id": event_id}}
    return json.dumps({"detail-type": "stage/act", "source": "test", "time": "2026-03-01T04:00:00Z", "detail": detail})


def turned_away(stage: RunningStack) -> int:
    """Return how many messages were kept for later so far because another worker had their run."""
    log = stage.log("stage-act")
    return log.count('"reason":"another worker has the run"') + log.count('"reason":"another worker was faster"')


def test_the_same_message_three_times_at_once_is_one_run(stage: RunningStack, diary: Diary, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    message = body(f"thrice-{tmp_path}", {"diary": str(diary.path), "gate": str(gate)})

    stage.ended(stage.send("stage/act", {"diary": str(tmp_path / "other")}))  # so that there is a log
    before = turned_away(stage)

    stage.deliver("stage-act", [message] * 3)
    until(lambda: diary.entries("started"), "the handler to start", every=0.02)
    # the other two reach a worker while the first one's works
    until(lambda: turned_away(stage) == before + 2, "the others to be turned away", every=0.02)
    gate.touch()
    stage.drained("stage-act")

    [run] = [each for each in stage.runs("stage-act") if each["event_id"] == f"thrice-{tmp_path}"]
    assert (run["status"], run["attempts"]) == ("completed", 1)
    assert len(diary.entries("started")) == 1
    assert len(diary.entries("effect")) == 1


def test_a_poison_message_and_one_that_kills_leave_nine_good_ones_alone(
    stage: RunningStack, diary: Diary, tmp_path: Path
) -> None:
    good = [f"good-{number}-{tmp_path}" for number in range(9)]
    poison, killer = f"poison-{tmp_path}", f"killer-{tmp_path}"
    events: dict[str, dict[str, Any]] = {event_id: {"diary": str(diary.path)} for event_id in good}
    events |= {poison: {"diary": 7}, killer: {"diary": str(diary.path), "deeds": ["die"]}}
    mixed = [good[0], killer, *good[1:5], poison, *good[5:]]

    stage.deliver("stage-act", [body(event_id, events[event_id]) for event_id in mixed])
    runs = stage.all_ended("stage-act", set(mixed))
    stage.drained("stage-act")

    assert {(runs[each]["status"], runs[each]["attempts"]) for each in good} == {("completed", 1)}
    assert (runs[poison]["status"], runs[poison]["attempts"]) == ("failed", 1)
    assert runs[poison]["error"]["type"] == "InvalidMessageError"
    assert "diary" in runs[poison]["error"]["message"]
    assert (runs[killer]["status"], runs[killer]["attempts"]) == ("failed", 3)
    assert runs[killer]["error"]["type"] == "WorkerDiedError"
    assert Counter(entry["event_id"] for entry in diary.entries("started")) == Counter(good) + Counter({killer: 3})
    assert Counter(entry["event_id"] for entry in diary.entries("effect")) == Counter(good)
    put_aside = Counter(letter["RunId"] for letter in stage.take_dead_letters("stage-act"))
    assert (put_aside[runs[poison]["run_id"]], put_aside[runs[killer]["run_id"]]) == (1, 1)
    assert not put_aside.keys() & {runs[each]["run_id"] for each in good}
