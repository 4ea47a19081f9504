"""Stacks in this process. Their templates are small; the real one is the end-to-end tests' business."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import boto3
import psutil
import pytest
from moto.moto_api._internal.models import moto_api_backend
from sqlalchemy import inspect

from local.data_dir import AlreadyRunningError, running_pid
from local.postgres import Postgres
from local.stack import LocalStack, Options
from local.template.errors import TemplateError
from shared.database.connection import connect_to

ROOT = Path(__file__).parents[2]
TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Bus: {Type: AWS::Events::EventBus, Properties: {Name: !Ref AWS::StackName}}
  Inbox: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub '${AWS::StackName}_demo-echo'}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventBusName: !Ref Bus
      EventPattern: {detail-type: [demo/said]}
      Targets: [{Id: inbox, Arn: !GetAtt Inbox.Arn}]
  InboxPolicy:
    Type: AWS::SQS::QueuePolicy
    Properties:
      Queues: [!Ref Inbox]
      PolicyDocument:
        Statement:
          - {Effect: Allow, Principal: {Service: events.amazonaws.com}, Action: sqs:SendMessage, Resource: '*'}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub ${AWS::StackName}_demo-echo
      Runtime: python3.13
      Handler: echo.handler
      CodeUri: .
      Policies:
        - Statement:
            - Effect: Allow
              Action: [sqs:ReceiveMessage, sqs:DeleteMessage, sqs:GetQueueAttributes]
              Resource: !GetAtt Inbox.Arn
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Echo, EventSourceArn: !GetAtt Inbox.Arn}
  SchedulesRole:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Statement: [{Effect: Allow, Principal: {Service: scheduler.amazonaws.com}, Action: sts:AssumeRole}]
  Yearly:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: cron(0 5 1 1 ? *)
      FlexibleTimeWindow: {Mode: 'OFF'}
      Target: {Arn: !GetAtt Inbox.Arn, RoleArn: !GetAtt SchedulesRole.Arn, Input: '{}'}
"""
WITH_DATABASE = f"""
Parameters: {{DatabaseSecretArn: {{Type: String}}}}
{TEMPLATE}
Outputs: {{Secret: {{Value: !Ref DatabaseSecretArn}}}}
"""


def wait_until(happened: Callable[[], bool], what: str) -> None:
    for _ in range(1000):
        if happened():
            return
        threading.Event().wait(0.02)
    pytest.fail(f"in 20 s not: {what}")


WITH_BUCKET = (
    TEMPLATE.replace(
        "Handler: echo.handler",
        "Handler: storing.handler\n      Timeout: 900\n      Environment:\n        Variables:"
        " {STACK_NAME: s, EVENT_BUS_NAME: b, LEDGER_TABLE: l, PAYLOAD_BUCKET: !Ref Payloads}",
    )
    .replace("Resources:", "Resources:\n  Payloads: {Type: AWS::S3::Bucket}")
    .replace(
        "        - Statement:\n",
        "        - Statement:\n"
        "            - {Effect: Allow, Action: [s3:GetObject, s3:PutObject], Resource: !Sub '${Payloads.Arn}/*'}\n",
    )
)
STORING = """
from shared.engine.payloads import incoming, outgoing

def handler(event, context):
    value = event * 100_000
    reference = outgoing(value)
    return [reference, incoming(reference) == value]
"""


@pytest.fixture(autouse=True)
def _fresh_aws() -> Iterator[None]:
    """Each stack finds the empty AWS that a process of its own would give it."""
    moto_api_backend.reset()
    yield
    moto_api_backend.reset()


@pytest.fixture
def options(tmp_path: Path) -> Callable[..., Options]:
    def make(template: str = TEMPLATE, *, path: Path | None = None, **overrides: object) -> Options:
        code = tmp_path / "code"
        code.mkdir(exist_ok=True)
        (code / "echo.py").write_text("def handler(event, context):\n    return event\n")
        written = code / "template.yaml"
        written.write_text(template)
        # The scale of the other tests of this process that make queues: moto's queues are one for the process.
        values = {
            "template": path or written,
            "data_dir": tmp_path / "state",
            "port": 0,
            "time_scale": 0.01,
        } | overrides
        return Options(**values)  # type: ignore[arg-type] # each override is of its field's type

    return make


class TestWhileItRuns:
    def test_answers_at_its_address(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as stack, urlopen(f"{stack.front.url}/health", timeout=10) as answer:
            assert json.load(answer) == {"status": "ready"}
            assert 0 < stack.started_in < 60

    def test_tells_applications_what_plain_boto3_needs(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as stack:
            lines = (stack.data_dir / "env").read_text().splitlines()

        env = dict(line.split("=", 1) for line in lines)
        assert env == stack.env
        assert set(env) == {
            "AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
            "EVENT_BUS_NAME", "NIGHTSHIFT_STACK", "NIGHTSHIFT_URL",
        }  # fmt: skip
        assert (env["EVENT_BUS_NAME"], env["AWS_REGION"]) == ("nightshift", "us-east-1")

    def test_lets_only_its_user_read_what_it_tells(self, options: Callable[..., Options], tmp_path: Path) -> None:
        (tmp_path / "state").mkdir()
        left_over = tmp_path / "state" / "env"
        left_over.write_text("AWS_ENDPOINT_URL=http://127.0.0.1:1\n")
        left_over.chmod(0o644)

        with LocalStack.start(options()) as stack:
            assert stat.S_IMODE((stack.data_dir / "env").stat().st_mode) == 0o600

    def test_tells_the_command_line_the_functions_of_its_template(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as stack:
            registry = json.loads((stack.data_dir / "registry.json").read_text())

        assert registry["functions"]["demo-echo"]["events"] == ["demo/said"]

    def test_carries_an_event_from_the_bus_to_a_worker(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as stack:
            events = boto3.client(
                "events",
                endpoint_url=stack.env["AWS_ENDPOINT_URL"],
                region_name=stack.env["AWS_REGION"],
                aws_access_key_id=stack.env["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=stack.env["AWS_SECRET_ACCESS_KEY"],
            )
            bus = stack.env["EVENT_BUS_NAME"]
            events.put_events(
                Entries=[{"EventBusName": bus, "Source": "test", "DetailType": "demo/said", "Detail": "{}"}]
            )
            events.close()

            wait_until(lambda: len(stack.functions.workers()) == 1, "a worker was started")

    def test_gives_a_worker_its_bucket(self, options: Callable[..., Options], tmp_path: Path) -> None:
        with_bucket = options(WITH_BUCKET)
        (tmp_path / "code" / "shared").symlink_to(ROOT / "shared")
        (tmp_path / "code" / "storing.py").write_text(STORING)

        with LocalStack.start(with_bucket) as stack:
            answer = stack.functions("nightshift_demo-echo", b'["lines"]')

        assert answer.function_error is None, answer.payload
        reference, is_same = json.loads(answer.payload)
        assert is_same
        assert reference["nightshift:payload"]["bytes"] == 800_001

    def test_holds_its_directory(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as stack:
            assert running_pid(stack.data_dir) == os.getpid()

            with pytest.raises(AlreadyRunningError, match=rf"already \(process {os.getpid()}\)$"):
                LocalStack.start(options())

            assert (stack.data_dir / "env").exists()


class TestWhenItStops:
    def test_leaves_no_thread_no_process_and_no_address(self, options: Callable[..., Options]) -> None:
        before = {thread.ident for thread in threading.enumerate()}
        children = {child.pid for child in psutil.Process().children(recursive=True)}
        stack = LocalStack.start(options())
        stack.functions("nightshift_demo-echo", b"1")
        assert {child.pid for child in psutil.Process().children(recursive=True)} > children

        stack.stop()

        wait_until(lambda: {thread.ident for thread in threading.enumerate()} <= before, "its threads ended")
        assert {child.pid for child in psutil.Process().children(recursive=True)} <= children
        assert sorted(path.name for path in stack.data_dir.iterdir()) == ["logs", "pid"]
        assert running_pid(stack.data_dir) is None

    def test_may_be_told_so_twice(self, options: Callable[..., Options]) -> None:
        stack = LocalStack.start(options())

        stack.stop()
        stack.stop()

        assert running_pid(stack.data_dir) is None

    def test_its_directory_is_free_for_the_next(self, options: Callable[..., Options]) -> None:
        LocalStack.start(options()).stop()
        moto_api_backend.reset()

        with LocalStack.start(options()) as second:
            assert running_pid(second.data_dir) == os.getpid()


class TestWhenItCannotStart:
    @pytest.mark.parametrize(
        ("template", "reason"),
        [
            ("- not a mapping", "mapping"),
            ("Resources: {Q: {Type: AWS::SQS::Queue", "template.yaml"),
            (TEMPLATE.replace("AWS::SQS::Queue", "AWS::SQS::Cue"), "AWS::SQS::Cue"),
            (TEMPLATE.replace("!GetAtt Inbox.Arn", "!GetAtt Outbox.Arn"), "Outbox"),
            (TEMPLATE.replace("[demo/said]", "[{prefix: demo/}]"), "lists its events' exact names"),
        ],
    )
    def test_says_why_and_leaves_nothing(self, options: Callable[..., Options], template: str, reason: str) -> None:
        before = {thread.ident for thread in threading.enumerate()}
        broken = options(template)

        with pytest.raises(TemplateError, match=reason):
            LocalStack.start(broken)

        wait_until(lambda: {thread.ident for thread in threading.enumerate()} <= before, "its threads ended")
        assert running_pid(broken.data_dir) is None
        assert not (broken.data_dir / "env").exists()

    def test_says_that_there_is_no_template(self, options: Callable[..., Options], tmp_path: Path) -> None:
        with pytest.raises(TemplateError, match=r"none\.yaml: No such file"):
            LocalStack.start(options(path=tmp_path / "none.yaml"))

    def test_says_that_its_port_is_taken_and_leaves_nothing(self, options: Callable[..., Options]) -> None:
        with LocalStack.start(options()) as first:
            port = int(first.front.url.rpartition(":")[2])
            moto_api_backend.reset()
            other = options(data_dir=first.data_dir.parent / "other", port=port)

            with pytest.raises(OSError, match=f"^port {port} "):
                LocalStack.start(other)

            assert running_pid(other.data_dir) is None
            assert not (other.data_dir / "env").exists()


class TestDatabase:
    def test_uses_the_database_that_it_is_given_and_leaves_it_running(
        self, options: Callable[..., Options], postgres: Postgres, bare_url: str
    ) -> None:
        with LocalStack.start(options(WITH_DATABASE, database_url=bare_url)) as stack:
            told = stack.env["DATABASE_URL"]
            secret = stack.aws.client("secretsmanager").get_secret_value(SecretId=stack.deployment.outputs["Secret"])

        assert told == bare_url
        value = json.loads(secret["SecretString"])
        assert set(value) >= {"username", "password", "host", "port", "dbname"}
        assert value["dbname"] in bare_url
        assert not (stack.data_dir / "postgres").exists()
        assert [list(row) for row in postgres.run("SELECT 1")] == [[1]]
        assert _tables(bare_url) >= {"alembic_version", "alerts", "error_log", "organization"}

    def test_stops_when_its_database_does_not_answer(self, options: Callable[..., Options]) -> None:
        nobody = "postgresql://nightshift:secret@127.0.0.1:1/nightshift"
        unreachable = options(WITH_DATABASE, database_url=nobody)

        with pytest.raises(Exception, match=r"127\.0\.0\.1") as failed:
            LocalStack.start(unreachable)

        assert "secret" not in str(failed.value)
        assert running_pid(unreachable.data_dir) is None


def _tables(url: str) -> set[str]:
    with connect_to(url) as connection:
        return set(inspect(connection).get_table_names())
