import json
from collections.abc import Callable
from typing import Any

import pytest
from moto import backends
from moto.core import responses
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.responses import SQSResponse

from local.aws import direct
from local.aws.api import Answer, Api, ApiRequest
from local.aws.server import AwsServer

SCOPE = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=x"


def request(service: str, target: str, body: dict[str, Any], **headers: str) -> ApiRequest:
    sent = {
        "Authorization": SCOPE.format(service),
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
    } | headers
    return ApiRequest("POST", "/", tuple(sent.items()), json.dumps(body).encode(), "127.0.0.1", 1)


@pytest.mark.parametrize(
    ("service", "target", "body"),
    [
        ("dynamodb", "DynamoDB_20120810.DescribeTable", {"TableName": "missing"}),
        ("dynamodb", "DynamoDB_20120810.PutItem", {"TableName": "missing", "Item": {"pk": {"S": "1"}}}),
        ("sqs", "AmazonSQS.GetQueueUrl", {"QueueName": "missing"}),
        ("sqs", "AmazonSQS.ListQueues", {"QueueNamePrefix": "no such"}),
        ("events", "AWSEvents.PutEvents", {"Entries": [{"Source": "a", "DetailType": "b", "Detail": "no JSON"}]}),
        ("states", "AWSStepFunctions.DescribeExecution", {"executionArn": "arn:aws:states:us-east-1:1:execution:a:b"}),
    ],
)
def test_answers_as_moto_does_on_its_own_way(
    server: AwsServer, service: str, target: str, body: dict[str, Any]
) -> None:
    directly = Api().answer(request(service, target, body))
    generally = Api().answer(request(service, target, body, Origin="http://a.browser"))

    assert told(directly) == told(generally)


def told(answer: Answer) -> tuple[int, Any, dict[str, str]]:
    """What an SDK reads of an answer, without what is new each time, or Flask's."""
    new = {"x-amzn-requestid", "content-length", "content-type", "access-control-allow-origin", "vary"}
    headers = {name.lower(): value for name, value in answer.headers if name.lower() not in new}
    return answer.status, json.loads(answer.body), headers


def test_finds_the_class_of_a_busy_service(server: AwsServer) -> None:
    asked = request("dynamodb", "DynamoDB_20120810.ListTables", {}), request("sqs", "AmazonSQS.ListQueues", {})

    assert [direct.handler_of(each.environ()) for each in asked] == [DynamoHandler, SQSResponse]


@pytest.mark.parametrize(
    "other",
    [
        request("ssm", "AmazonSSM.GetParameter", {"Name": "a"}),
        request("dynamodb", "DynamoDBStreams_20120810.ListStreams", {}),
        request("sqs", "AmazonSQS.ListQueues", {}, **{"Content-Encoding": "gzip"}),
        ApiRequest("GET", "/bucket/key", (("Authorization", SCOPE.format("s3")),), b"", "127.0.0.1", 1),
        ApiRequest("POST", "/", (("X-Amz-Target", "AmazonSQS.ListQueues"),), b"{}", "127.0.0.1", 1),
    ],
    ids=["another service", "another API", "a compressed body", "no target", "no signature"],
)
def test_leaves_every_other_request_to_moto(other: ApiRequest) -> None:
    assert direct.handler_of(other.environ()) is None


def test_looks_at_a_handlers_methods_once(server: AwsServer, aws: Callable[[str], Any]) -> None:
    aws("dynamodb").list_tables()
    before = responses.method_names_from_class.cache_info().misses

    aws("dynamodb").list_tables()

    assert responses.method_names_from_class.cache_info().misses == before


def test_asks_the_file_system_once_which_services_there_are(
    server: AwsServer, aws: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws("ssm").describe_parameters()
    monkeypatch.setattr(backends.os, "listdir", lambda path: pytest.fail(f"looked into {path}"))

    aws("ssm").describe_parameters()
