"""Ask one AWS service for something, as a function would."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from shared.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable


class AskedByPermitted(Event):
    """Ask with a role that may."""

    event_name: ClassVar[str] = "desk/permitted"

    what: str


class AskedByBarred(Event):
    """Ask with a role that may not."""

    event_name: ClassVar[str] = "desk/barred"

    what: str


def ask(what: str) -> str:
    """Make the call that goes by this name and return the name."""
    _CALLS[what]()
    return what


@cache
def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}))  # type: ignore[call-overload] # any


def _env(name: str) -> str:
    return os.environ[name]


def _put_item() -> None:
    _client("dynamodb").put_item(TableName=_env("NOTES_TABLE"), Item={"id": {"S": "1"}, "kind": {"S": "a"}})


def _query_index() -> None:
    _client("dynamodb").query(
        TableName=_env("NOTES_TABLE"),
        IndexName="by-kind",
        KeyConditionExpression="kind = :kind",
        ExpressionAttributeValues={":kind": {"S": "a"}},
    )


def _send_message_batch() -> None:
    entries = [{"Id": "1", "MessageBody": "x"}]
    _client("sqs").send_message_batch(QueueUrl=_env("OUTBOX_URL"), Entries=entries)


def _put_events() -> None:
    entry = {"Source": "desk", "DetailType": "desk/nothing", "Detail": "{}"}
    _client("events").put_events(Entries=[entry | {"EventBusName": _env("SIDE_BUS_NAME")}])


def _start_execution() -> None:
    _client("stepfunctions").start_execution(stateMachineArn=_env("WALK_ARN"))


def _get_secret_value() -> None:
    _client("secretsmanager").get_secret_value(SecretId=_env("SECRET"))


def _get_parameter() -> None:
    _client("ssm").get_parameter(Name=_env("PARAMETER"))


def _put_object() -> None:
    _client("s3").put_object(Bucket=_env("BUCKET"), Key="notes/1", Body=b"x")


def _list_bucket() -> None:
    _client("s3").list_objects_v2(Bucket=_env("BUCKET"))


def _get_schedule() -> None:
    _client("scheduler").get_schedule(GroupName=_env("STACK_NAME"), Name="permitted")


_CALLS: dict[str, Callable[[], None]] = {
    "dynamodb:PutItem": _put_item,
    "dynamodb:Query": _query_index,
    "sqs:SendMessage": _send_message_batch,
    "events:PutEvents": _put_events,
    "states:StartExecution": _start_execution,
    "secretsmanager:GetSecretValue": _get_secret_value,
    "ssm:GetParameter": _get_parameter,
    "s3:PutObject": _put_object,
    "s3:ListBucket": _list_bucket,
    "scheduler:GetSchedule": _get_schedule,
}
