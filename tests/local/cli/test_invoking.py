from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from local.data_dir import running_pid
from shared.engine.identity import RunId
from tests.local.cli.conftest import ROOT, Cli

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def written(path: Path, event: Any) -> str:
    path.write_text(json.dumps(event))
    return str(path)


def step_call(attempt: int) -> dict[str, Any]:
    """What the state machine passes to `demo-welcome`."""
    event = {
        "detail-type": "nightshift/schedule.fired",
        "source": "test",
        "time": "2026-03-01T05:00:00Z",
        "detail": {
            "data": {"schedule": "demo-welcome", "scheduled_at": "2026-03-01T05:00:00Z"},
            "metadata": {"id": "1"},
        },
    }
    run = str(RunId.of("demo-welcome", "1"))
    return {"step": "say_welcome", "run": run, "attempt": attempt, "input": {"event": event, "times": 3}}


def test_prints_what_the_function_answers(live: Cli, tmp_path: Path) -> None:
    answer = live.here("invoke", "demo-welcome", "-e", written(tmp_path / "call.json", step_call(attempt=1)))

    assert (answer.code, answer.err) == (0, "")
    assert answer.json == ["welcome"] * 3


def test_prints_the_error_that_lambda_answers_and_exits_with_1(live: Cli, tmp_path: Path) -> None:
    answer = live.here("invoke", "demo-welcome", "-e", written(tmp_path / "call.json", step_call(attempt=0)))

    assert (answer.code, answer.err) == (1, "")
    assert answer.json["errorType"] == "ConnectionError"
    assert answer.json["errorMessage"] == "nobody listens"


def test_takes_a_batch_as_an_inbox_delivers_it(live: Cli, tmp_path: Path) -> None:
    event_id = str(uuid4())
    body = {
        "detail-type": "demo/greeted",
        "source": "test",
        "time": "2026-03-01T05:00:00Z",
        "detail": {"data": {"name": "Ada"}, "metadata": {"id": event_id}},
    }
    record = {
        "messageId": "1",
        "receiptHandle": "none",
        "body": json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
    }

    answer = live.here("invoke", "demo-greet", "--event", written(tmp_path / "batch.json", {"Records": [record]}))

    assert answer.json == {"batchItemFailures": []}
    shown = live.here("show", str(RunId.of("demo-greet", event_id)), "--json").json
    assert shown["output"] == {"greeting": "Olá Ada"}


def test_names_the_functions_that_there_are(live: Cli, tmp_path: Path) -> None:
    event = written(tmp_path / "event.json", {})

    said = live.refusal("invoke", "demo-wave", "-e", event, "--data-dir", str(live.data_dir))

    assert said == "no function 'demo-wave': there are demo-greet, demo-welcome, platform-ledger"


def test_starts_a_stack_for_the_call_where_none_runs(tmp_path: Path, database_url: str) -> None:
    event = str(ROOT / "events" / "errors-cleanup-old.json")
    command = [sys.executable, "-m", "local.cli", "invoke", "errors-cleanup-old", "-e", event, "--data-dir", "state"]

    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"DATABASE_URL": database_url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, json.loads(ended.stdout)) == (0, {"batchItemFailures": []})
    assert ended.stderr == "no stack runs on state: this call has one of its own\n"
    assert running_pid(tmp_path / "state") is None
