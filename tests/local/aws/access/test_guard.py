"""Requests by real clients, over HTTP, to the server as it runs in the local stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.aws.access.identities import Identities
from local.aws.server import AwsServer
from tests.local.aws.access.conftest import ACCOUNT, REGION, ActAs, MakeRole, allow, policy

Client = Callable[[str], Any]


@pytest.fixture
def queue(aws: Client, name: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    return aws("sqs").create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def refusal(call: Callable[[], Any]) -> tuple[str, str, int]:
    """The code, the message and the HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as raised:
        call()
    response: Any = raised.value.response
    return response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_session_may_do_what_its_role_may_and_nothing_else(
    role: MakeRole, act_as: ActAs, queue: tuple[str, str]
) -> None:
    url, arn = queue
    sqs = act_as(role(allow("sqs:SendMessage", arn)), "sqs")

    sqs.send_message(QueueUrl=url, MessageBody="1")
    sent = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": "2", "MessageBody": "2"}])
    code, message, status = refusal(lambda: sqs.receive_message(QueueUrl=url))

    assert [entry["Id"] for entry in sent["Successful"]] == ["2"]
    assert (code, status) == ("AccessDenied", 403)
    assert message.startswith(f"User: arn:aws:sts::{ACCOUNT}:assumed-role/role-")
    assert message.endswith(
        f"/worker is not authorized to perform: sqs:receivemessage on resource: {arn} "
        "because no identity-based policy allows the sqs:receivemessage action"
    )


CALLS: list[tuple[str, str, dict[str, Any], str, int, str]] = [
    ("dynamodb", "put_item", {"TableName": "t", "Item": {"id": {"S": "1"}}}, "AccessDeniedException", 400,
     f"dynamodb:PutItem on resource: arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/t"),
    ("events", "put_events", {"Entries": [{"EventBusName": "b", "Source": "s", "DetailType": "d", "Detail": "{}"}]},
     "AccessDeniedException", 400, f"events:PutEvents on resource: arn:aws:events:{REGION}:{ACCOUNT}:event-bus/b"),
    ("stepfunctions", "start_execution", {"stateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"},
     "AccessDeniedException", 400,
     f"states:StartExecution on resource: arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:m"),
    ("ssm", "get_parameter", {"Name": "/a/b"}, "AccessDeniedException", 400,
     f"ssm:GetParameter on resource: arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b"),
    ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException", 400,
     f"secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:s"),
    ("s3", "put_object", {"Bucket": "b", "Key": "a/ü", "Body": b"x"}, "AccessDenied", 403,
     's3:PutObject on resource: "arn:aws:s3:::b/a/ü"'),
    ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException", 403,
     f"lambda:InvokeFunction on resource: arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"),
    ("scheduler", "get_schedule", {"GroupName": "g", "Name": "n"}, "AccessDeniedException", 403,
     f"scheduler:GetSchedule on resource: arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/g/n"),
    ("logs", "create_log_stream", {"logGroupName": "g", "logStreamName": "s"}, "AccessDeniedException", 400,
     f"logs:CreateLogStream on resource: arn:aws:logs:{REGION}:{ACCOUNT}:log-group:g"),
    ("sns", "publish", {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "Message": "m"}, "AuthorizationError", 403,
     f"sns:Publish on resource: arn:aws:sns:{REGION}:{ACCOUNT}:t"),
    ("sesv2", "send_email", {"FromEmailAddress": "Ada <a@example.com>", "Content": {}}, "AccessDeniedException", 403,
     f"ses:SendEmail on resource: arn:aws:ses:{REGION}:{ACCOUNT}:identity/example.com"),
    ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}, "AccessDeniedException", 400,
     "cloudwatch:PutMetricData on resource: *"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code", "status", "what"), CALLS, ids=[call[0] for call in CALLS]
)
def test_refuses_in_each_services_own_words(  # noqa: PLR0917
    role: MakeRole,
    act_as: ActAs,
    service: str,
    operation: str,
    parameters: dict[str, Any],
    code: str,
    status: int,
    what: str,
) -> None:
    client = act_as(role(), service)

    seen = refusal(lambda: getattr(client, operation)(**parameters))

    assert (seen[0], seen[2]) == (code, status)
    assert f"/worker is not authorized to perform: {what} because no identity-based policy allows the " in seen[1]


def test_everybody_may_ask_who_they_are(role: MakeRole, act_as: ActAs) -> None:
    arn = role({"Effect": "Deny", "Action": "*", "Resource": "*"})

    identity = act_as(arn, "sts").get_caller_identity()

    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{arn.rpartition('/')[2]}/worker"


def test_names_an_explicit_deny(role: MakeRole, act_as: ActAs, queue: tuple[str, str]) -> None:
    url, arn = queue
    sqs = act_as(role(allow("sqs:*"), allow("sqs:SendMessage", arn) | {"Effect": "Deny"}), "sqs")

    _, message, _ = refusal(lambda: sqs.send_message(QueueUrl=url, MessageBody="x"))

    assert message.endswith(f"sqs:sendmessage on resource: {arn} with an explicit deny in an identity-based policy")


def test_a_queue_may_let_a_role_in_and_keep_it_out(
    role: MakeRole, act_as: ActAs, aws: Client, queue: tuple[str, str]
) -> None:
    url, arn = queue
    guest, member = role(), role(allow("sqs:SendMessage"))
    own = policy(
        allow("sqs:SendMessage", arn, Principal={"AWS": guest}),
        allow("sqs:SendMessage", arn, Principal={"AWS": member}, Effect="Deny"),
    )
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": own})

    act_as(guest, "sqs").send_message(QueueUrl=url, MessageBody="x")
    _, message, _ = refusal(lambda: act_as(member, "sqs").send_message(QueueUrl=url, MessageBody="x"))

    assert message.endswith("with an explicit deny in a resource-based policy")


def test_a_changed_policy_holds_from_the_next_request_on(
    role: MakeRole, act_as: ActAs, aws: Client, queue: tuple[str, str]
) -> None:
    url, arn = queue
    role_arn = role()
    name, sqs, iam = role_arn.rpartition("/")[2], act_as(role_arn, "sqs"), aws("iam")

    def send() -> None:
        sqs.send_message(QueueUrl=url, MessageBody="x")

    refusal(send)
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(allow("sqs:SendMessage", arn)))
    send()
    iam.delete_role_policy(RoleName=name, PolicyName="p")
    refusal(send)
    managed = iam.create_policy(PolicyName=f"{name}-m", PolicyDocument=policy(allow("sqs:SendMessage", arn)))
    iam.attach_role_policy(RoleName=name, PolicyArn=managed["Policy"]["Arn"])
    send()
    iam.create_policy_version(
        PolicyArn=managed["Policy"]["Arn"], PolicyDocument=policy(allow("sqs:*", f"{arn}-other")), SetAsDefault=True
    )
    refusal(send)


def test_an_operation_that_it_does_not_know_is_refused_by_name(role: MakeRole, act_as: ActAs) -> None:
    client = act_as(role(allow("*")), "dynamodb")

    code, message, _ = refusal(lambda: client.execute_statement(Statement="SELECT * FROM t"))

    assert code == "AccessDeniedException"
    assert message.endswith(
        "is not authorized to perform: dynamodb:ExecuteStatement: what it needs is not known to the local stack"
    )


def test_a_policy_that_cannot_be_evaluated_allows_nothing_and_says_so(role: MakeRole, act_as: ActAs) -> None:
    client = act_as(role(allow("*", Condition={"StringEquals": {"aws:username": "x"}})), "dynamodb")

    _, message, _ = refusal(client.list_tables)

    assert message.endswith("because it cannot be decided: the local stack knows no condition key 'aws:username'")


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "code"),
    [
        ("dynamodb", "list_tables", {}, "UnrecognizedClientException"),
        ("sqs", "list_queues", {}, "InvalidClientTokenId"),
        ("sns", "list_topics", {}, "InvalidClientTokenId"),
        ("s3", "list_objects_v2", {"Bucket": "b"}, "InvalidAccessKeyId"),
        ("scheduler", "list_schedules", {}, "UnrecognizedClientException"),
    ],
)
@pytest.mark.parametrize("keys", [("ASIAUNKNOWN", "token"), ("AKIAUNKNOWN", None)])
def test_refuses_keys_that_nobody_gave_out(
    server: AwsServer, service: str, operation: str, parameters: dict[str, Any], code: str, keys: tuple[str, str | None]
) -> None:
    client = boto3.client(  # type: ignore[call-overload] # not a literal
        service,
        region_name=REGION,
        endpoint_url=server.endpoint_url,
        aws_access_key_id=keys[0],
        aws_secret_access_key="x",
        aws_session_token=keys[1],
        config=Config(retries={"total_max_attempts": 1}),
    )

    assert refusal(lambda: getattr(client, operation)(**parameters))[0] == code
    client.close()


@pytest.fixture
def connection(server: AwsServer) -> Iterator[HTTPConnection]:
    connection = HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=5)
    yield connection
    connection.close()


def test_a_sessions_key_is_worth_nothing_without_its_token(
    role: MakeRole, act_as: ActAs, connection: HTTPConnection
) -> None:
    client = act_as(role(allow("*")), "dynamodb")
    access_key = client._request_signer._credentials.access_key
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/20260101/{REGION}/dynamodb/aws4_request",
        "X-Amz-Target": "DynamoDB_20120810.ListTables",
        "X-Amz-Security-Token": "another",
    }

    connection.request("POST", "/", body=b"{}", headers=headers)
    answer = connection.getresponse()

    assert answer.status == 400
    assert json.loads(answer.read())["__type"].endswith("#UnrecognizedClientException")


def test_refuses_what_nobody_signed(connection: HTTPConnection) -> None:
    connection.request("POST", "/", body=b"{}", headers={"X-Amz-Target": "DynamoDB_20120810.ListTables"})
    answer = connection.getresponse()

    assert answer.status == 400
    assert json.loads(answer.read())["__type"].endswith("#MissingAuthenticationToken")


@pytest.mark.parametrize("scheme", ["s3", "s3v4"])
def test_checks_presigned_requests_by_the_key_in_their_query(
    role: MakeRole, act_as: ActAs, aws: Client, name: str, connection: HTTPConnection, scheme: str
) -> None:
    bucket = name.replace("_", "-")
    aws("s3").create_bucket(Bucket=bucket)
    aws("s3").put_object(Bucket=bucket, Key="k", Body=b"content")
    parameters = {"Bucket": bucket, "Key": "k"}

    def get(s3: Any) -> tuple[int, bytes]:
        s3.meta.config.signature_version = scheme
        url = s3.generate_presigned_url("get_object", Params=parameters)
        connection.request("GET", "/" + url.split("/", 3)[3])
        answer = connection.getresponse()
        return answer.status, answer.read()

    assert get(act_as(role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*")), "s3")) == (200, b"content")
    assert get(aws("s3")) == (200, b"content")
    status, body = get(act_as(role(), "s3"))
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)


def test_lets_the_administrator_and_the_stack_itself_do_everything(
    server: AwsServer, aws: Client, queue: tuple[str, str]
) -> None:
    url, _ = queue

    aws("sqs").send_message(QueueUrl=url, MessageBody="x")

    assert server.client("sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "x"


def test_knows_awss_own_policies(role: MakeRole, act_as: ActAs) -> None:
    role_arn = role()
    logs = act_as(role_arn, "logs")
    refusal(lambda: logs.create_log_group(logGroupName="g"))

    Identities(ACCOUNT).attach_role_policy(
        RoleName=role_arn.rpartition("/")[2],
        PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    )

    logs.create_log_group(logGroupName=role_arn.rpartition("/")[2])


def test_refuses_a_policy_that_aws_does_not_have(role: MakeRole) -> None:
    with pytest.raises(ClientError, match="does not exist or is not attachable"):
        Identities(ACCOUNT).attach_role_policy(
            RoleName=role().rpartition("/")[2], PolicyArn="arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole"
        )
