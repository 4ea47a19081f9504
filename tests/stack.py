"""AWS for unit tests: moto in this process, with one function's queues, the ledger, a bus and the payload bucket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
import pytest
from moto import mock_aws
from moto.s3.models import s3_backends

from shared import aws, clock
from shared.clock import StoppedClock
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import Row, key_of
from shared.settings import forget_environment
from tests.factories import Context

# moto alone does not ask for it; the local stack's shims do, once another test of the process installed them.
OPEN_TO_EVENTS = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": "*",
            }
        ]
    }
)
START = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)


@dataclass
class Stack:
    """What a test sees of the function's surroundings.

    `calls` are the calls of AWS that were asked for, `done` those that were answered, with their parameters.
    `interrupt` is called before each is sent and after it was done: what it raises is the end of the worker.
    """

    clock: StoppedClock
    inbox_url: str
    dead_letters_url: str
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    interrupt: Callable[[Literal["before", "after"], str], None] = lambda _when, _operation: None

    def message(self, body: str, *, receives: int = 1, message_id: str = "message-1") -> dict[str, Any]:
        record = {
            "messageId": message_id,
            "receiptHandle": f"handle of {message_id}",
            "body": body,
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSource": "aws:sqs",
        }
        return {"Records": [record]}

    def row(self, function: str, event_id: str = "event-1", generation: int = 0) -> Row:
        row = ledger().get(RunId.of(function, event_id, generation))
        assert row is not None
        return row

    def check_at(self, function: str, event_id: str = "event-1", generation: int = 0) -> datetime | None:
        """When the reconciler looks at a run; None when it is over and done with."""
        item = boto3.client("dynamodb").get_item(
            TableName="test_ledger", Key=key_of(RunId.of(function, event_id, generation))
        )["Item"]
        return datetime.fromisoformat(item["check_at"]["S"]) if "check_at" in item else None

    def dead_letters(self) -> list[dict[str, Any]]:
        answer = aws.client("sqs").receive_message(
            QueueUrl=self.dead_letters_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [dict(message) for message in answer.get("Messages", [])]

    def inbox(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self._bodies()]

    def _bodies(self) -> list[str]:
        answer = aws.client("sqs").receive_message(QueueUrl=self.inbox_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def work_off(self, handler: Callable[[Any, Context], Any]) -> None:
        """Deliver what stands in the inbox, and what that puts there, until there is nothing."""
        while bodies := self._bodies():
            for body in bodies:
                handler(self.message(body), Context())

    def news(self) -> list[dict[str, Any]]:
        """What was put on the bus, in order: name, and detail."""
        return [
            {"name": entry["DetailType"]} | json.loads(entry["Detail"])
            for name, call in self.done
            for entry in call.get("Entries", [])
            if name == "PutEvents"
        ]

    def payloads(self) -> list[str]:
        """The keys of the payload bucket's objects."""
        stored = s3_backends["123456789012"]["aws"].buckets["test-payloads"].keys
        return sorted(stored)

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == operation]

    def advance(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))


def make_idempotency_table(dynamodb: Any) -> None:
    """Create the table of once effects' records, as the template has it."""
    dynamodb.create_table(
        TableName="test_idempotency",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "STACK_NAME": "test",
        "EVENT_BUS_NAME": "test",
        "LEDGER_TABLE": "test_ledger",
        "PAYLOAD_BUCKET": "test-payloads",
        "IDEMPOTENCY_TABLE": "test_idempotency",
        "FLOW_TABLE": "test_flow",
        "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:test_demo-greet",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws.forget_clients()
    forget_environment()
    stopped = StoppedClock(START)
    with mock_aws(), clock.using(stopped):
        sqs = boto3.client("sqs")
        inbox = sqs.create_queue(QueueName="test_demo-greet", Attributes={"Policy": OPEN_TO_EVENTS})["QueueUrl"]
        dead = sqs.create_queue(QueueName="test_demo-greet-dead")["QueueUrl"]
        monkeypatch.setenv("INBOX_URL", inbox)
        monkeypatch.setenv("DEAD_LETTERS_URL", dead)
        boto3.client("events").create_event_bus(Name="test")
        boto3.client("dynamodb").create_table(
            TableName="test_ledger",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "open_shard", "AttributeType": "S"},
                {"AttributeName": "check_at", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "open",
                    "KeySchema": [
                        {"AttributeName": "open_shard", "KeyType": "HASH"},
                        {"AttributeName": "check_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        s3_backends["123456789012"]["aws"].create_bucket("test-payloads", "us-east-1")
        boto3.client("dynamodb").create_table(
            TableName="test_flow",
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        make_idempotency_table(boto3.client("dynamodb"))
        made = Stack(stopped, inbox, dead)

        def note(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
            context["noted"] = model.name, dict(params)
            made.calls.append(context["noted"])

        def before(model: Any, **_: Any) -> None:
            made.interrupt("before", model.name)

        def after(model: Any, context: dict[str, Any], **_: Any) -> None:
            made.done.append(context["noted"])
            made.interrupt("after", model.name)

        # every client inherits what is registered for its session, also one that a test makes later
        hooks: Any = {"before-parameter-build": note, "before-call": before, "after-call": after}
        for event, hook in hooks.items():
            aws.session().register(f"{event}.*.*", hook)
        yield made
    aws.forget_clients()
    forget_environment()
