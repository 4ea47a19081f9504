"""AWS for unit tests: moto in this process, with one function's queues, the ledger and a bus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared import aws, clock
from shared.clock import StoppedClock
from shared.engine.identity import RunId
from shared.engine.ledger import Row, ledger
from shared.settings import forget_environment

START = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)


@dataclass
class Stack:
    """What a test sees of the function's surroundings."""

    clock: StoppedClock
    inbox_url: str
    dead_letters_url: str
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

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

    def dead_letters(self) -> list[dict[str, Any]]:
        answer = aws.client("sqs").receive_message(
            QueueUrl=self.dead_letters_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [dict(message) for message in answer.get("Messages", [])]

    def inbox(self) -> list[dict[str, Any]]:
        answer = aws.client("sqs").receive_message(QueueUrl=self.inbox_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    def asked(self, operation: str) -> list[dict[str, Any]]:
        return [parameters for name, parameters in self.calls if name == operation]

    def advance(self, **by: float) -> None:
        self.clock.advance(timedelta(**by))


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "STACK_NAME": "test",
        "EVENT_BUS_NAME": "test",
        "LEDGER_TABLE": "test_ledger",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws.forget_clients()
    forget_environment()
    stopped = StoppedClock(START)
    with mock_aws(), clock.using(stopped):
        sqs = boto3.client("sqs")
        inbox = sqs.create_queue(QueueName="test_inbox")["QueueUrl"]
        dead = sqs.create_queue(QueueName="test_inbox-dead")["QueueUrl"]
        monkeypatch.setenv("INBOX_URL", inbox)
        monkeypatch.setenv("DEAD_LETTERS_URL", dead)
        boto3.client("events").create_event_bus(Name="test")
        boto3.client("dynamodb").create_table(
            TableName="test_ledger",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            BillingMode="PAY_PER_REQUEST",
        )
        made = Stack(stopped, inbox, dead)
        for service in ("dynamodb", "events", "sqs", "stepfunctions"):
            client: Any = aws.client(service)  # type: ignore[call-overload] # one of the literals
            client.meta.events.register(
                f"before-parameter-build.{service}.*",
                lambda params, model, **_: made.calls.append((model.name, dict(params))),
            )
        yield made
    aws.forget_clients()
    forget_environment()
