"""Which events and schedules wake which functions."""

import json
from pathlib import Path

import pytest

from local.template.errors import TemplateError
from local.template.registry import main, registry_of

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Needed: {Type: String}}
Globals: {Function: {Runtime: python3.13, CodeUri: ., Environment: {Variables: {NEEDED: !Ref Needed}}}}
Resources:
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: !Ref AWS::StackName}}
  TaskInbox: {Type: AWS::SQS::Queue}
  TaskFunction:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}_a-task
      Handler: a.handler
      Events: {Inbox: {Type: SQS, Properties: {Queue: !GetAtt TaskInbox.Arn, BatchSize: 1}}}
  TaskRule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {detail-type: [b/second, a/first]}
      Targets: [{Id: inbox, Arn: !GetAtt TaskInbox.Arn}]
  ElsewhereRule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.states]}
      Targets: [{Id: inbox, Arn: !GetAtt TaskInbox.Arn}]
  TaskSchedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: a-task
      ScheduleExpression: rate(1 hour)
      FlexibleTimeWindow: {Mode: 'OFF'}
      Target: {Arn: !GetAtt TaskInbox.Arn, RoleArn: 'arn:aws:iam::123456789012:role/r'}
  FlowFunction:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub '${AWS::StackName}_a-flow', Handler: b.handler}
  FlowMachine:
    Type: AWS::Serverless::StateMachine
    Properties: {Name: !Sub '${AWS::StackName}_a-flow', Definition: {StartAt: A, States: {A: {Type: Succeed}}}}
  OwnFunction:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub '${AWS::StackName}_platform-own', Handler: c.handler}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE, encoding="utf-8")
    return path


def test_reads_events_schedules_and_kinds_off_the_template(template: Path) -> None:
    assert registry_of(template) == {
        "functions": {
            "a-flow": {"kind": "workflow", "events": [], "schedule": None},
            "a-task": {
                "kind": "task",
                "events": ["a/first", "b/second"],
                "schedule": {"name": "a-task", "expression": "rate(1 hour)", "time_zone": "UTC"},
            },
            "platform-own": {"kind": "platform", "events": [], "schedule": None},
        }
    }


def test_refuses_a_rule_whose_events_cannot_be_listed(template: Path) -> None:
    template.write_text(TEMPLATE.replace("[b/second, a/first]", "[{prefix: a/}]"))

    with pytest.raises(TemplateError, match=r"TaskRule: .* exact names"):
        registry_of(template)


def test_writes_the_same_file_each_time_and_notices_a_stale_one(
    template: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = template.with_name("registry.json")
    arguments = ["--template", str(template), "--output", str(output)]

    assert main([*arguments, "--check"]) == 1
    assert "make registry" in capsys.readouterr().err
    assert main(arguments) == 0
    written = output.read_text(encoding="utf-8")
    assert main(arguments) == 0

    assert output.read_text(encoding="utf-8") == written
    assert json.loads(written) == registry_of(template)
    assert main([*arguments, "--check"]) == 0


def test_says_on_one_line_what_is_wrong(template: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template.write_text("[", encoding="utf-8")

    assert main(["--template", str(template)]) == 1

    assert capsys.readouterr().err.count("\n") == 1
