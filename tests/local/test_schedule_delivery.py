"""What a schedule may send, and where it goes when it may not."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from local.aws.access.identities import Identities
from local.aws.queues import LocalQueue
from local.aws.server import AwsServer
from local.permissions import SCHEDULER
from local.schedule_delivery import send
from local.template.deployment import Schedule

ACCOUNT = "123456789012"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}"


class Stage:
    """Two queues and a role of their own, in one AWS for the process."""

    def __init__(self, server: AwsServer) -> None:
        self.name = uuid.uuid4().hex[:8]
        self.inbox, self.undelivered = f"{self.name}-inbox", f"{self.name}-undelivered"
        self.sqs = server.client("sqs")
        self.urls = {each: self.sqs.create_queue(QueueName=each)["QueueUrl"] for each in (self.inbox, self.undelivered)}
        self.identities = Identities(ACCOUNT)
        trust = {"Effect": "Allow", "Principal": {"Service": SCHEDULER}, "Action": "sts:AssumeRole"}
        self.identities.create_role(RoleName=self.name, AssumeRolePolicyDocument=_policy(trust))
        self.schedule = Schedule(
            "nightly", "g", "rate(1 minute)", "UTC", f"{ARN}:{self.inbox}", "{}",
            arn="arn:the-schedule", role_arn=f"arn:aws:iam::{ACCOUNT}:role/{self.name}",
            dead_letter_arn=f"{ARN}:{self.undelivered}",
        )  # fmt: skip

    def allow(self, *queues: str) -> None:
        may = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": [f"{ARN}:{queue}" for queue in queues]}
        self.identities.put_role_policy(RoleName=self.name, PolicyName="send", PolicyDocument=_policy(may))

    def messages(self, queue: str) -> list[dict[str, Any]]:
        answer = self.sqs.receive_message(QueueUrl=self.urls[queue], MessageAttributeNames=["All"])
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        return messages


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def stage() -> Any:
    server = AwsServer.start(time_scale=LocalQueue.time_scale)
    yield Stage(server)
    server.stop()


def test_sends_what_the_role_may(stage: Stage) -> None:
    stage.allow(stage.inbox)

    send(stage.schedule, "due")

    assert [message["Body"] for message in stage.messages(stage.inbox)] == ["due"]
    assert stage.messages(stage.undelivered) == []


def test_keeps_what_the_role_may_not_send_with_the_reason(stage: Stage) -> None:
    stage.allow(stage.undelivered)

    send(stage.schedule, "due")

    (letter,) = stage.messages(stage.undelivered)
    said = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert letter["Body"] == "due"
    assert stage.messages(stage.inbox) == []
    assert (said["ERROR_CODE"], said["TARGET_ARN"]) == ("AccessDenied", f"{ARN}:{stage.inbox}")
    assert f"is not authorized to perform: sqs:sendmessage on resource: {ARN}:{stage.inbox}" in said["ERROR_MESSAGE"]


def test_says_what_is_lost_when_it_may_send_nowhere(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    send(stage.schedule, "due")
    send(replace(stage.schedule, role_arn="arn:aws:iam::123456789012:role/nobody", dead_letter_arn=None), "due")

    assert stage.messages(stage.undelivered) == []
    assert "schedule nightly lost what it was to send" in caplog.text
    assert "there is no role" in caplog.text


def test_keeps_what_has_no_target(stage: Stage) -> None:
    stage.allow(stage.undelivered)

    send(replace(stage.schedule, target_arn=f"{ARN}:nowhere"), "due")

    (letter,) = stage.messages(stage.undelivered)
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "AWS.SimpleQueueService.NonExistentQueue"
