"""An application that knows nothing but `.nightshift/env` uses the stack with plain boto3."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.night import WORKER, add_expired, alerts_of

if TYPE_CHECKING:
    from pathlib import Path

    from local.postgres import Postgres
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

PROGRAM = """
import json, os, pathlib, sys

lines = pathlib.Path(sys.argv[1]).read_text().splitlines()
os.environ.update(line.split("=", 1) for line in lines)

import boto3

answer = boto3.client("events").put_events(Entries=[{
    "EventBusName": os.environ["EVENT_BUS_NAME"],
    "Source": "billing",
    "DetailType": "alerts/cleanup.resolved.alerts",
    "Detail": json.dumps({"data": {"organization_id": "customer", "retention_days": 30}}),
}])
print(json.dumps(answer["Entries"]))
"""


def test_a_boto3_program_triggers_a_cleanup(cleanups: RunningStack, database: Postgres, tmp_path: Path) -> None:
    add_expired(database.url, "customer", 12)

    # -I and an empty environment: no module of ours, no variable of ours, nobody's AWS profile
    command = [sys.executable, "-I", "-c", PROGRAM, str(cleanups.data_dir / "env")]
    done = subprocess.run(
        command, env={"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    [entry] = json.loads(done.stdout)
    [run] = cleanups.all_ended(WORKER, {entry["EventId"]}).values()
    assert (run["status"], run["output"]) == ("completed", {"deleted": 12})
    assert alerts_of(database.url, "customer") == 0
