"""The engine's own CPU: per task message and per workflow step, in a warm worker, beside its AWS calls.

    python -m benchmarks.engine_cpu [--rounds N] [--calls N]

A task and a step that do nothing are called through their Lambda handlers, as AWS calls them, in this process. AWS is
a double that answers at once (benchmarks/aws_double.py); the CPU of this thread while botocore has a call is counted
apart. What is left is the engine: parsing and validating, the ledger's rows, logs and metrics, which are written. Bars:
1 ms a call each, two AWS calls a task message, none a step.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pydantic import BaseModel, Field

from benchmarks.aws_double import AwsDouble
from benchmarks.report import machine, table
from local.template.deployment import expand
from local.template.placement import Placement
from shared import aws
from shared.engine import Run, Task, Workflow
from shared.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.engine.run import LambdaContext

ROOT: Final = Path(__file__).resolve().parent.parent
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf"
LIKE: Final = "errors-prepare-cleanup"  # the function whose environment is taken; which one does not matter
CPU_BAR: Final = 1.0  # ms
WARM_UP: Final = 200


class Order(Event):
    """An event of ordinary size."""

    event_name: ClassVar[str] = "shop/order.placed"

    order_id: str = Field(min_length=1)
    customer: str
    lines: list[str]
    total_cents: int = Field(ge=0)


class Receipt(BaseModel):
    """What the work answers."""

    order_id: str
    lines: int


task = Task("shop-note-order", trigger=Order)
workflow = Workflow("shop-pack-order", trigger=Order)


@task
def note_order(event: Order, _run: Run) -> Receipt:
    """Do nothing, and answer."""
    return Receipt(order_id=event.order_id, lines=len(event.lines))


@workflow.step
def pack_order(event: Order, receipt: Receipt, _run: Run) -> Receipt:
    """Do nothing, and answer."""
    return Receipt(order_id=event.order_id, lines=receipt.lines)


class Context:
    """Lambda's context, with a minute left."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return 60_000


def envelope(number: int) -> dict[str, Any]:
    """Return an event as EventBridge delivers it."""
    lines = [f"article-{line:04}" for line in range(8)]
    data = {"order_id": f"order-{number}", "customer": "customer-1", "lines": lines, "total_cents": 12_345}
    return {
        "version": "0",
        "id": f"00000000-0000-4000-8000-{number:012}",
        "detail-type": Order.event_name,
        "source": "shop",
        "account": "123456789012",
        "time": "2026-05-03T04:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"data": data, "metadata": {"id": f"order-{number}", "ts": 1_777_777_777_000}},
    }


def message(number: int) -> dict[str, Any]:
    """Return what Lambda gets for one inbox message."""
    record = {
        "messageId": f"10000000-0000-4000-8000-{number:012}",
        "receiptHandle": "handle",
        "body": json.dumps(envelope(number)),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1777777777000"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:inbox",
        "awsRegion": "us-east-1",
    }
    return {"Records": [record]}


def step_call(number: int) -> dict[str, Any]:
    """Return what a state machine passes to its Lambda."""
    event = {key: envelope(number)[key] for key in ("id", "detail-type", "source", "time", "detail")}
    given = {"event": event, "receipt": {"order_id": f"order-{number}", "lines": 8}}
    run = f"00000000-0000-5000-8000-{number:012}"
    return {"step": "pack_order", "run": run, "attempt": 0, "input": given}


@dataclass(frozen=True)
class Kind:
    """One kind of call. `aws_calls` is the most that it may make."""

    name: str
    make: Callable[[int], dict[str, Any]]
    handler: Callable[[Any, LambdaContext], Any]
    aws_calls: int


@dataclass(frozen=True)
class Cost:
    """What one call took in the mean of a round: ms of CPU, and a count."""

    engine: float
    inside_aws: float
    calls: float


KINDS: Final = (Kind("task message", message, task.handler, 2), Kind("workflow step", step_call, workflow.handler, 0))


def measure(kind: Kind, double: AwsDouble, calls: int, first: int) -> Cost:
    """Return the mean cost of `calls` calls, numbered from `first`."""
    given = [kind.make(first + number) for number in range(calls)]
    double.reset()
    began = time.thread_time_ns()
    for each in given:
        kind.handler(each, Context())
    spent = time.thread_time_ns() - began
    per_call = calls * 1e6
    return Cost((spent - double.cpu_ns) / per_call, double.cpu_ns / per_call, double.calls.total() / calls)


def environment() -> dict[str, str]:
    """Return what a function is told, by the template and by Lambda."""
    deployment = expand(ROOT / "template.yaml", Placement(), {"DatabaseSecretArn": SECRET})
    [told] = [each.environment for each in deployment.functions if each.function_id == LIKE]
    credentials = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    return {**told, **credentials, "AWS_LAMBDA_LOG_LEVEL": "INFO"}


@contextmanager
def output_in(path: Path) -> Iterator[None]:
    """Write what functions log to a file, as Lambda's runtime hands it on to be stored."""
    kept, usual = os.dup(1), sys.stdout
    with path.open("w") as log:
        sys.stdout.flush()
        os.dup2(log.fileno(), 1)
        try:
            yield
        finally:
            usual.flush()
            os.dup2(kept, 1)
            os.close(kept)


def run(rounds: int, calls: int) -> dict[str, list[Cost]]:
    """Return the cost of each kind of call in each round; the kinds take turns."""
    double = AwsDouble()
    for service in ("dynamodb", "events", "sqs", "stepfunctions"):
        double.watch(aws.client(service))
    costs: dict[str, list[Cost]] = {kind.name: [] for kind in KINDS}
    first = 0
    for number in range(rounds + 1):
        for kind in KINDS:
            amount = calls if number else WARM_UP
            cost = measure(kind, double, amount, first)
            first += amount
            if number:
                costs[kind.name].append(cost)
    return costs


def main() -> int:
    """Measure and print; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=500, help="calls in a round (default: %(default)s)")
    arguments = parser.parse_args()
    os.environ.pop("AWS_ENDPOINT_URL", None)
    os.environ.update(environment())
    with tempfile.TemporaryDirectory() as folder, output_in(Path(folder) / "log"):
        costs = run(arguments.rounds, arguments.calls)
    rows, kept = [], True
    for kind in KINDS:
        engine, inside, made = (
            median(getattr(cost, name) for cost in costs[kind.name]) for name in ("engine", "inside_aws", "calls")
        )
        rows.append([kind.name, f"{engine:.2f}", f"{CPU_BAR:g}", f"{made:g}", str(kind.aws_calls), f"{inside:.2f}"])
        kept = kept and engine <= CPU_BAR and made <= kind.aws_calls
    print(f"The engine's own CPU in a warm worker, medians of {arguments.rounds} rounds of {arguments.calls} calls")
    print(machine())
    print(table(["call", "engine ms", "at most", "AWS calls", "at most", "ms in them"], rows))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
