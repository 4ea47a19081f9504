"""Fan-out: requests and peak memory of alerts-prepare-cleanup, for 1,000 and for 100,000 organizations.

The function's own step runs in a process of its own against a real PostgreSQL and an SQS on loopback; its requests are
counted on the wire, its memory is the kernel's high-water mark (VmHWM). Bars: a request per ten organizations, and the
peak does not grow with their number.

    python -m benchmarks.fan_out [--organizations 100000]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from local.aws.server import AwsServer
from local.postgres import Postgres
from shared.database.connection import connect_to
from shared.database.migrate import upgrade

SMALL = 1_000
ALLOWED_GROWTH = 1.10  # of peak memory: the allocator's noise


def work() -> None:
    """Be the function: send all pages, and print what it took."""
    from functions.alerts.prepare_cleanup import send_page
    from shared import aws
    from shared.database import configure
    from shared.engine import Run
    from shared.engine.envelope import Envelope
    from shared.engine.identity import RunId

    requests = 0

    def count(**_: Any) -> None:
        nonlocal requests
        requests += 1

    aws.client("sqs").meta.events.register("before-send.sqs.SendMessageBatch", count)
    configure(os.environ["DATABASE_URL"])
    event = Envelope.make("nightshift/schedule.fired", {}, event_id="1", source="s", time=datetime.now(UTC))
    run = Run(RunId.of("alerts-prepare-cleanup", "1"), "alerts-prepare-cleanup", event)
    began = time.perf_counter()
    page = send_page(None, run)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    seconds = time.perf_counter() - began
    print(json.dumps({"sent": page.sent, "requests": requests, "peak_mb": int(peak[1]) / 1024, "seconds": seconds}))


def measure(postgres: Postgres, server: AwsServer, organizations: int) -> dict[str, float]:
    """Fill the table, run the function in a process of its own, and return what it printed."""
    with connect_to(postgres.url) as connection:
        connection.execute(text("TRUNCATE organization"))
        connection.execute(
            text(
                "INSERT INTO organization (id, name, slug, retention_days) "
                "SELECT md5(n::text), 'Organization ' || n, 'org-' || n, 30 FROM generate_series(1, :n) AS n"
            ),
            {"n": organizations},
        )
    queue = server.client("sqs").create_queue(QueueName=f"fan-out-{organizations}")["QueueUrl"]
    environment = os.environ | {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ALERTS_CLEANUP_RESOLVED_INBOX_URL": queue,
        "DATABASE_URL": postgres.url,
    }
    command = [sys.executable, "-m", "benchmarks.fan_out", "--worker"]
    answer = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    measured: dict[str, float] = json.loads(answer.splitlines()[-1])
    return measured


def main() -> int:
    """Measure both sizes and print them; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--organizations", type=int, default=100_000)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work()
        return 0
    server = AwsServer.start()
    with tempfile.TemporaryDirectory() as directory, Postgres.start(Path(directory), durable=False) as postgres:
        upgrade(postgres.url)
        results = {size: measure(postgres, server, size) for size in (SMALL, arguments.organizations)}
    server.stop()
    print(f"{'organizations':>13} {'requests':>9} {'per org.':>9} {'peak MB':>8} {'seconds':>8}")
    for size, each in results.items():
        ratio = each["requests"] / size
        print(f"{size:>13,} {each['requests']:>9,} {ratio:>9.3f} {each['peak_mb']:>8.1f} {each['seconds']:>8.1f}")
    small, large = results.values()
    growth = large["peak_mb"] / small["peak_mb"]
    print(f"peak memory, large to small: {growth:.2f} (bar: at most {ALLOWED_GROWTH:.2f})")
    exact = all(each["sent"] == size and each["requests"] == -(-size // 10) for size, each in results.items())
    print(f"one request per ten organizations: {'yes' if exact else 'NO'}")
    return 0 if exact and growth <= ALLOWED_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
