"""The parser comes without EC2, ECS and Batch."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import local.aws.state_machines
print(sorted(name for name in ("moto.batch", "moto.ec2", "moto.ecs") if name in sys.modules))
from moto.batch.models import batch_backends
from moto.batch.utils import JobStatus
print(JobStatus.SUCCEEDED.value, type(JobStatus.SUCCEEDED).__module__)
"""


def test_the_parser_is_loaded_without_batch_and_batch_can_come_later() -> None:
    lines = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()

    assert lines == ["[]", "SUCCEEDED moto.batch.utils"]
