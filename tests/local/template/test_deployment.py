"""What the stack runs, polls and fires."""

from pathlib import Path

import pytest

from local.lambda_service.function_config import FunctionConfig
from local.template.deployment import Deployment, EventSourceMapping, Schedule, expand
from local.template.errors import TemplateError
from local.template.placement import Placement

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Colour: {Type: String, Default: red}}
Resources:
  Inbox: {Type: AWS::SQS::Queue, Properties: {QueueName: in}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}_worker
      Runtime: python3.13
      Handler: app.handler
      Timeout: 7
      CodeUri: src/
      Environment: {Variables: {COLOUR: !Ref Colour, INBOX_URL: !Ref Inbox, LIMIT: 3, LOUD: true}}
      Events:
        Inbox:
          Type: SQS
          Properties:
            Queue: !GetAtt Inbox.Arn
            BatchSize: 5
            MaximumBatchingWindowInSeconds: 2
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 4}
  Nightly:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: nightly
      ScheduleExpression: cron(0 5 * * ? *)
      ScheduleExpressionTimezone: Europe/Lisbon
      FlexibleTimeWindow: {Mode: 'OFF'}
      Target: {Arn: !GetAtt Inbox.Arn, RoleArn: 'arn:aws:iam::123456789012:role/r', Input: '{}'}
Outputs: {Name: {Value: !Ref Worker}}
"""


def expanded(folder: Path, text: str = TEMPLATE, **parameters: str) -> Deployment:
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    return expand(path, Placement(stack_name="small", endpoint_url="http://127.0.0.1:1"), parameters)


def test_says_which_functions_to_run(tmp_path: Path) -> None:
    deployment = expanded(tmp_path, Colour="blue")

    assert deployment.functions == (
        FunctionConfig(
            name="small_worker",
            handler="app.handler",
            timeout_seconds=7.0,
            memory_mb=128,
            environment={
                "COLOUR": "blue",
                "INBOX_URL": "http://127.0.0.1:1/123456789012/in",
                "LIMIT": "3",
                "LOUD": "true",
            },
            maximum_concurrency=4,
            role_arn="arn:aws:iam::123456789012:role/small-WorkerRole-6B85856F4DBA",
        ),
    )
    assert deployment.outputs == {"Name": "small_worker"}
    assert deployment.parameters == {"Colour": "blue"}


def test_says_which_queues_to_poll(tmp_path: Path) -> None:
    deployment = expanded(tmp_path)

    assert deployment.event_source_mappings == (
        EventSourceMapping(
            "small_worker", "arn:aws:sqs:us-east-1:123456789012:in", 5, 2, 4, report_batch_item_failures=True
        ),
    )


def test_says_when_to_fire_what(tmp_path: Path) -> None:
    deployment = expanded(tmp_path)

    target = "arn:aws:sqs:us-east-1:123456789012:in"
    assert deployment.schedules == (
        Schedule(
            "nightly",
            "default",
            "cron(0 5 * * ? *)",
            "Europe/Lisbon",
            target,
            "{}",
            arn="arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly",
            role_arn="arn:aws:iam::123456789012:role/r",
        ),
    )


def test_reserved_concurrency_bounds_the_workers_too(tmp_path: Path) -> None:
    text = TEMPLATE.replace("      Timeout: 7\n", "      Timeout: 7\n      ReservedConcurrentExecutions: 2\n")

    assert expanded(tmp_path, text).functions[0].maximum_concurrency == 2


def test_refuses_to_poll_a_queue_of_another_stack(tmp_path: Path) -> None:
    text = TEMPLATE.replace(
        "            Queue: !GetAtt Inbox.Arn\n", "            Queue: arn:aws:sqs:us-east-1:123456789012:elsewhere\n"
    )

    with pytest.raises(TemplateError, match="only queues of the template"):
        expanded(tmp_path, text)
