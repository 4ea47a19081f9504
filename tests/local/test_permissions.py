"""What stops a stack from starting, as it would stop a deployment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws.access.errors import AccessDeniedError, RoleError
from local.aws.access.identities import Identities
from local.aws.queues import LocalQueue
from local.aws.server import AwsServer
from local.permissions import check_roles, open_sessions
from local.template.apply import apply
from local.template.deployment import Deployment, expand
from local.template.placement import Placement

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Inbox: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${AWS::StackName}_in'}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}_worker
      Runtime: python3.13
      Handler: app.handler
      CodeUri: .
      Policies:
        - Statement:
            - Effect: Allow
              Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
              Resource: !GetAtt Inbox.Arn
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Inbox.Arn}
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      Name: !Sub ${AWS::StackName}_machine
      Definition: {StartAt: End, States: {End: {Type: Succeed}}}
  SchedulesRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: scheduler.amazonaws.com}, Action: sts:AssumeRole}]
  Nightly:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: nightly
      ScheduleExpression: cron(0 5 * * ? *)
      FlexibleTimeWindow: {Mode: 'OFF'}
      Target: {Arn: !GetAtt Inbox.Arn, RoleArn: !GetAtt SchedulesRole.Arn, Input: '{}'}
"""


@pytest.fixture
def server() -> Iterator[AwsServer]:
    server = AwsServer.start(time_scale=LocalQueue.time_scale)
    yield server
    server.stop()


def deployed(server: AwsServer, tmp_path: Path, template: str) -> Deployment:
    path = tmp_path / "template.yaml"
    path.write_text(template)
    stack_name = f"s{uuid.uuid4().hex[:8]}"
    deployment = expand(path, Placement(stack_name, endpoint_url=server.endpoint_url))

    def client(service: str) -> Any:
        return Identities("123456789012") if service == "iam" else server.client(service)

    apply([call for call in deployment.calls if call.service != "scheduler"], client)
    return deployment


def test_each_function_gets_keys_of_its_own_role(server: AwsServer, tmp_path: Path) -> None:
    deployment = deployed(server, tmp_path, TEMPLATE)

    sessions = open_sessions(deployment)
    check_roles(deployment)

    (name,) = sessions
    assert name.endswith("_worker")
    assert sessions[name].access_key_id.startswith("ASIA")
    assert sessions[name].session_token


def test_a_function_needs_a_role_that_lambda_may_assume(server: AwsServer, tmp_path: Path) -> None:
    template = TEMPLATE.replace("      CodeUri: .\n", "      CodeUri: .\n      Role: !GetAtt SchedulesRole.Arn\n")
    deployment = deployed(server, tmp_path, template)

    with pytest.raises(RoleError, match=r"_worker: lambda\.amazonaws\.com may not assume arn"):
        open_sessions(deployment)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("sqs:ReceiveMessage, ", "", "_worker: the function's role does not have permissions to call ReceiveMessage"),
        (", sqs:GetQueueAttributes", "", "to call GetQueueAttributes on SQS: User: arn:aws:sts::"),
        (
            "RoleArn: !GetAtt SchedulesRole.Arn",
            "RoleArn: !GetAtt WorkerRole.Arn",
            r"^nightly: scheduler\.amazonaws\.com may not assume",
        ),
        (
            "      Definition: {",
            "      Role: !GetAtt SchedulesRole.Arn\n      Definition: {",
            r"_machine: states\.amazonaws\.com may not assume",
        ),
        (
            "RoleArn: !GetAtt SchedulesRole.Arn",
            "RoleArn: 'arn:aws:iam::123456789012:role/nobody'",
            "^nightly: there is no role",
        ),
    ],
)
def test_says_who_lacks_what(server: AwsServer, tmp_path: Path, before: str, after: str, reason: str) -> None:
    assert before in TEMPLATE
    deployment = deployed(server, tmp_path, TEMPLATE.replace(before, after))

    with pytest.raises(AccessDeniedError, match=reason):
        check_roles(deployment)
