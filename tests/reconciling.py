"""A stack of several functions in moto, some of whose messages get lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from moto.scheduler.models import scheduler_backends

from shared import aws, clock
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.reconciler import Reconciler
from shared.engine.recorder import record
from shared.engine.row import Row
from shared.settings import forget_environment
from tests.factories import envelope
from tests.stack import Stack

TASK, WORKFLOW, NIGHTLY, RECONCILE = "demo-greet", "demo-story", "demo-nightly", "platform-reconcile"
REGISTRY: dict[str, Any] = {
    TASK: {"kind": "task", "events": ["demo/greeted", "demo/met"], "schedule": None},
    WORKFLOW: {"kind": "workflow", "events": ["demo/met"], "schedule": None},
    NIGHTLY: {"kind": "task", "events": [], "schedule": {"name": NIGHTLY}},
    RECONCILE: {"kind": "platform", "events": [], "schedule": {"name": RECONCILE}},
}
MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:test_"


@dataclass
class Deployed:
    """The functions of `REGISTRY` with their inboxes, and the ledger."""

    stack: Stack
    registry: Path
    use: Callable[[Path], None]

    def deploy(self, functions: dict[str, Any]) -> None:
        """Deploy `REGISTRY` with these functions; None takes one away."""
        changed = {name: entry for name, entry in (REGISTRY | functions).items() if entry is not None}
        self.registry = self.registry.with_name(f"{self.registry.stem}+.json")  # a file is read once
        self.registry.write_text(json.dumps({"functions": changed}))
        self.use(self.registry)

    def schedule(self, expression: str, *, since: datetime, zone: str = "UTC", enabled: bool = True) -> None:
        """Make the nightly function's schedule, or change it at the time `since`."""
        scheduler = aws.client("scheduler")
        what: Any = {
            "Name": NIGHTLY,
            "GroupName": "test",
            "ScheduleExpression": expression,
            "ScheduleExpressionTimezone": zone,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "State": "ENABLED" if enabled else "DISABLED",
            "Target": {"Arn": "arn:aws:sqs:us-east-1:123456789012:test_demo-nightly", "RoleArn": "r" * 20}
            | {"Input": fired("<aws.scheduler.scheduled-time>")},
        }
        backend = scheduler_backends["123456789012"]["us-east-1"]
        if NIGHTLY in backend.schedule_groups["test"].schedules:
            scheduler.update_schedule(**what)
        else:
            scheduler.create_schedule(**what)
        # moto dates it by the machine's clock
        backend.schedule_groups["test"].schedules[NIGHTLY].last_modified_date = since.timestamp()

    def put(self, status: Any, *, function: str = TASK, event_id: str = "event-1", **more: Any) -> RunId:
        """Write the row of a run as the engine does when it accepts one."""
        run = RunId.of(function, event_id)
        now = clock.isoformat(clock.now())
        values = {"event_name": "demo/greeted", "event": envelope(metadata={"id": event_id}), "accepted_at": now}
        assert ledger().create(Row(run, function, status, event_id, **(values | more))) is None
        return run

    def pass_over(self, *, has_time: Callable[[], bool] = lambda: True, **ahead: float) -> dict[str, int]:
        """Look once, as of a time that is ahead, and return what was found."""
        reconciler = Reconciler(clock.now() + timedelta(**ahead), has_time)
        reconciler.run()
        return {str(finding): number for finding, number in reconciler.found.items()}

    def sent(self, function: str) -> list[dict[str, Any]]:
        """Take everything out of a function's inbox."""
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName=f"test_{function}")["QueueUrl"]
        bodies = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def fill(self, function: str) -> None:
        """Put a message into a function's inbox that nobody takes."""
        sqs = boto3.client("sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=f"test_{function}")["QueueUrl"], MessageBody="{}")

    def open_items(self) -> dict[str, str]:
        """Return when each unfinished item is looked at, by its key."""
        items = boto3.client("dynamodb").scan(TableName="test_ledger", IndexName="open")["Items"]
        return {item["pk"]["S"]: item["check_at"]["S"] for item in items}

    def calls(self, operation: str) -> int:
        return len(self.stack.asked(operation))


def came(event_id: str = "event-1", name: str = "demo/greeted", **overrides: Any) -> Envelope:
    """Record an event of the bus as the platform does, and return it."""
    event = Envelope.parse(envelope(metadata={"id": event_id}, **({"detail-type": name} | overrides)))
    record(event)
    return event


def fired(at: str) -> str:
    """What the nightly function's schedule puts into its inbox."""
    detail = {"data": {"schedule": NIGHTLY, "scheduled_at": at}, "metadata": {"id": f"{NIGHTLY}/{at}"}}
    event = {"source": "nightshift.schedule", "detail-type": "nightshift/schedule.fired", "time": at, "detail": detail}
    return json.dumps(event)


@contextmanager
def answering(service: Any, operation: str, answer: Callable[[], Any]) -> Iterator[None]:
    """Let a client's calls of one operation be answered by `answer`; None lets a call through."""
    client: Any = aws.client(service)

    def reply(**_: Any) -> Any:
        parsed = answer()
        return None if parsed is None else (AWSResponse("", 200, HTTPHeaders(), None), parsed)

    event = f"before-call.{service}.{operation}"
    client.meta.events.register(event, reply)
    yield
    client.meta.events.unregister(event, reply)


@pytest.fixture
def deployed(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    def use(registry: Path) -> None:
        monkeypatch.setenv("REGISTRY_PATH", str(registry))
        forget_environment()

    monkeypatch.setenv("STATE_MACHINE_PREFIX", MACHINES)
    sqs = boto3.client("sqs")
    # what a function under test sends to itself is kept apart from what the reconciler sends to the functions
    stack.inbox_url = sqs.create_queue(QueueName="test_own")["QueueUrl"]
    monkeypatch.setenv("INBOX_URL", stack.inbox_url)
    for function in REGISTRY:
        sqs.create_queue(QueueName=f"test_{function}")
    boto3.client("scheduler").create_schedule_group(Name="test")
    made = Deployed(stack, tmp_path / "registry.json", use)
    made.deploy({})
    return made
