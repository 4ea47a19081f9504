"""Requests as boto3 writes them, and what each needs."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from local.aws.access.calls import read_call, read_signature
from local.aws.access.needs import UnknownOperationError, needs_of
from local.aws.access.needs.need import Need
from local.aws.server import AwsServer, _request

AT = "us-east-1:123456789012"
TABLE = f"arn:aws:dynamodb:{AT}:table"
QUEUE_URL = "http://127.0.0.1:4566/123456789012/q"
BATCH = {"QueueUrl": QUEUE_URL, "Entries": [{"Id": "1", "ReceiptHandle": "r"}]}
KEY = {"id": {"S": "1"}}


def needs(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    """What the request needs that boto3 makes of a call."""
    seen: list[list[Need]] = []
    client = boto3.client(  # type: ignore[call-overload] # not a literal
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )

    def look(request: Any, **_: Any) -> AWSResponse:
        environ = _request(request).environ()
        signature = read_signature(environ)
        assert signature is not None
        before = environ["wsgi.input"].getvalue()
        try:
            seen.append(needs_of(read_call(environ, signature)))
        finally:
            assert environ["wsgi.input"].read() == before
        return AWSResponse(request.url, 500, HTTPHeaders(), _NoBody())

    client.meta.events.register("before-send", look)
    try:
        getattr(client, operation)(**parameters)
    except UnknownOperationError:
        raise
    except Exception:
        assert seen
    client.close()
    return [tuple(need) for need in seen[0]]


class _NoBody:
    def stream(self, *_: Any, **__: Any) -> Any:
        yield b""


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("get_item", {"TableName": "t", "Key": KEY}, [("GetItem", "t")]),
        ("update_item", {"TableName": "t", "Key": KEY}, [("UpdateItem", "t")]),
        ("put_item", {"TableName": f"{TABLE}/t", "Item": {"TableName": {"S": "x"}}}, [("PutItem", "t")]),
        ("query", {"TableName": "t"}, [("Query", "t")]),
        ("query", {"TableName": "t", "IndexName": "open"}, [("Query", "t/index/open")]),
        ("scan", {"TableName": "t", "IndexName": "open"}, [("Scan", "t/index/open")]),
        ("describe_table", {"TableName": "t"}, [("DescribeTable", "t")]),
        ("batch_get_item", {"RequestItems": {"t": {}, "u": {}}}, [("BatchGetItem", "t"), ("BatchGetItem", "u")]),
        ("batch_write_item", {"RequestItems": {"t": []}}, [("BatchWriteItem", "t")]),
        (
            "transact_write_items",
            {
                "TransactItems": [
                    {"Put": {"TableName": "t", "Item": KEY}},
                    {"Put": {"TableName": "t", "Item": KEY}},
                    {"ConditionCheck": {"TableName": "u", "Key": KEY}},
                    {"Update": {"TableName": "u", "Key": KEY}},
                    {"Delete": {"TableName": "u", "Key": KEY}},
                ]
            },
            [("PutItem", "t"), ("ConditionCheckItem", "u"), ("UpdateItem", "u"), ("DeleteItem", "u")],
        ),
        ("transact_get_items", {"TransactItems": [{"Get": {"TableName": "t", "Key": KEY}}]}, [("GetItem", "t")]),
    ],
)
def test_dynamodb(operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    wanted = [(f"dynamodb:{action}", f"{TABLE}/{resource}") for action, resource in expected]

    assert needs("dynamodb", operation, **parameters) == wanted


@pytest.mark.parametrize(
    ("operation", "parameters", "action"),
    [
        ("send_message", {"QueueUrl": QUEUE_URL, "MessageBody": "x"}, "SendMessage"),
        ("send_message_batch", {"QueueUrl": QUEUE_URL, "Entries": []}, "SendMessage"),
        ("delete_message_batch", BATCH, "DeleteMessage"),
        ("change_message_visibility_batch", BATCH, "ChangeMessageVisibility"),
        ("receive_message", {"QueueUrl": QUEUE_URL}, "ReceiveMessage"),
        ("get_queue_attributes", {"QueueUrl": QUEUE_URL}, "GetQueueAttributes"),
        ("get_queue_url", {"QueueName": "q"}, "GetQueueUrl"),
    ],
)
def test_sqs(operation: str, parameters: dict[str, Any], action: str) -> None:
    assert needs("sqs", operation, **parameters) == [(f"sqs:{action}", f"arn:aws:sqs:{AT}:q")]


def test_put_events_needs_every_bus_that_it_names() -> None:
    entry = {"Source": "s", "DetailType": "d", "Detail": "{}"}
    other = f"arn:aws:events:{AT}:event-bus/other"

    asked = needs(
        "events", "put_events", Entries=[entry, entry | {"EventBusName": "b"}, entry | {"EventBusName": other}]
    )

    buses = [f"arn:aws:events:{AT}:event-bus/b", f"arn:aws:events:{AT}:event-bus/default", other]
    assert sorted(asked) == [("events:PutEvents", bus) for bus in buses]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("ssm", "get_parameter", {"Name": "/a/b"}, [("ssm:GetParameter", "parameter/a/b")]),
        ("ssm", "get_parameter", {"Name": "a:3"}, [("ssm:GetParameter", "parameter/a")]),
        (
            "ssm",
            "get_parameters",
            {"Names": ["a", "/b"]},
            [("ssm:GetParameters", "parameter/a"), ("ssm:GetParameters", "parameter/b")],
        ),
        ("ssm", "get_parameters_by_path", {"Path": "/a/"}, [("ssm:GetParametersByPath", "parameter/a/")]),
        ("secretsmanager", "get_secret_value", {"SecretId": "no"}, [("secretsmanager:GetSecretValue", "secret:no")]),
        (
            "stepfunctions",
            "stop_execution",
            {"executionArn": f"arn:aws:states:{AT}:execution:m:n"},
            [("states:StopExecution", "execution:m:n")],
        ),
        ("lambda", "invoke", {"FunctionName": "f"}, [("lambda:InvokeFunction", "function:f")]),
        (
            "lambda",
            "invoke",
            {"FunctionName": f"arn:aws:lambda:{AT}:function:f", "Qualifier": "live"},
            [("lambda:InvokeFunction", "function:f:live")],
        ),
        ("scheduler", "delete_schedule", {"Name": "n"}, [("scheduler:DeleteSchedule", "schedule/default/n")]),
        ("scheduler", "get_schedule_group", {"Name": "g"}, [("scheduler:GetScheduleGroup", "schedule-group/g")]),
        (
            "logs",
            "put_log_events",
            {"logGroupName": "/g", "logStreamName": "s", "logEvents": []},
            [("logs:PutLogEvents", "log-group:/g:log-stream:s")],
        ),
        (
            "logs",
            "filter_log_events",
            {"logGroupIdentifier": f"arn:aws:logs:{AT}:log-group:/g"},
            [("logs:FilterLogEvents", "log-group:/g")],
        ),
        (
            "ses",
            "send_raw_email",
            {"RawMessage": {"Data": b"From: Ada <ada@Example.com>\n\nHello"}},
            [("ses:SendRawEmail", "identity/example.com")],
        ),
    ],
)
def test_services_that_name_the_resource(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    signed_for = {"stepfunctions": "states"}.get(service, service)

    asked = needs(service, operation, **parameters)

    assert asked == [(action, f"arn:aws:{signed_for}:{AT}:{resource}") for action, resource in expected]


def test_a_schedule_passes_its_role_on() -> None:
    target = {"Arn": f"arn:aws:sqs:{AT}:q", "RoleArn": "arn:aws:iam::123456789012:role/r"}

    asked = needs("scheduler", "create_schedule", Name="n", GroupName="g", ScheduleExpression="x", Target=target)

    assert asked == [
        ("scheduler:CreateSchedule", f"arn:aws:scheduler:{AT}:schedule/g/n"),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/r"),
    ]


def test_a_secret_by_its_name_is_a_secret_by_its_arn(server: AwsServer, name: str) -> None:
    arn = server.client("secretsmanager").create_secret(Name=name, SecretString="x")["ARN"]

    for given in (name, arn):
        assert needs("secretsmanager", "get_secret_value", SecretId=given) == [("secretsmanager:GetSecretValue", arn)]


def test_mail_is_sent_under_an_address_that_is_verified_itself_else_under_its_domain(server: AwsServer) -> None:
    server.client("ses").verify_email_identity(EmailAddress="own@example.org")
    message = {"Destination": {}, "Message": {}}

    assert needs("ses", "send_email", Source="Own <own@example.org>", **message) == [
        ("ses:SendEmail", f"arn:aws:ses:{AT}:identity/own@example.org")
    ]
    assert needs("sesv2", "send_email", FromEmailAddress="x@example.org", Content={}) == [
        ("ses:SendEmail", f"arn:aws:ses:{AT}:identity/example.org")
    ]


UPLOAD = {"Bucket": "b", "Key": "k", "UploadId": "u"}


@pytest.mark.parametrize(
    ("operation", "parameters", "expected"),
    [
        ("get_object", {"Bucket": "b", "Key": "a b/ü"}, [("GetObject", "b/a b/ü")]),
        ("head_object", {"Bucket": "b", "Key": "k"}, [("GetObject", "b/k")]),
        ("get_object", {"Bucket": "b", "Key": "k", "VersionId": "1"}, [("GetObjectVersion", "b/k")]),
        ("put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}, [("PutObject", "b/k")]),
        ("delete_object", {"Bucket": "b", "Key": "k"}, [("DeleteObject", "b/k")]),
        (
            "delete_objects",
            {"Bucket": "b", "Delete": {"Objects": [{"Key": "x"}, {"Key": "y&z"}]}},
            [("DeleteObject", "b/x"), ("DeleteObject", "b/y&z")],
        ),
        (
            "copy_object",
            {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "c", "Key": "ü"}},
            [("PutObject", "b/k"), ("GetObject", "c/ü")],
        ),
        ("list_objects_v2", {"Bucket": "b", "Prefix": "p/"}, [("ListBucket", "b")]),
        ("head_bucket", {"Bucket": "b"}, [("ListBucket", "b")]),
        ("create_multipart_upload", {"Bucket": "b", "Key": "k"}, [("PutObject", "b/k")]),
        ("upload_part", UPLOAD | {"PartNumber": 1, "Body": b"x"}, [("PutObject", "b/k")]),
        ("complete_multipart_upload", UPLOAD, [("PutObject", "b/k")]),
        ("abort_multipart_upload", UPLOAD, [("AbortMultipartUpload", "b/k")]),
        ("list_parts", UPLOAD, [("ListMultipartUploadParts", "b/k")]),
        ("get_object_tagging", {"Bucket": "b", "Key": "k"}, [("GetObjectTagging", "b/k")]),
    ],
)
def test_s3(operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    wanted = [(f"s3:{action}", f"arn:aws:s3:::{resource}") for action, resource in expected]

    assert needs("s3", operation, **parameters) == wanted


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "name"),
    [
        ("dynamodb", "execute_statement", {"Statement": "SELECT 1"}, "dynamodb:ExecuteStatement"),
        ("kms", "list_keys", {}, "kms:ListKeys"),
        ("sts", "assume_role", {"RoleArn": "r", "RoleSessionName": "s"}, "sts:AssumeRole"),
        ("lambda", "list_functions", {}, "lambda:GET /2015-03-31/functions"),
        ("s3", "get_bucket_policy", {"Bucket": "b"}, r"s3:GET /b\?policy"),
    ],
)
def test_says_which_operation_it_does_not_know(
    service: str, operation: str, parameters: dict[str, Any], name: str
) -> None:
    with pytest.raises(UnknownOperationError, match=name):
        needs(service, operation, **parameters)
