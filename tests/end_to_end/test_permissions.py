"""A right that the template does not give is missing on the laptop too, and the run that needs it fails visibly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.running import ROOT, RunningStack, dev, start, stop, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

APPLICATION = Path(__file__).parent / "permissions"
AT = "us-east-1:123456789012"
WORKER = "User: arn:aws:sts::123456789012:assumed-role/nightshift-DeskBarredFunctionRole-"

CALLS = {
    "dynamodb:PutItem": f"arn:aws:dynamodb:{AT}:table/nightshift_notes",
    "dynamodb:Query": f"arn:aws:dynamodb:{AT}:table/nightshift_notes/index/by-kind",
    "sqs:SendMessage": f"arn:aws:sqs:{AT}:nightshift_outbox",
    "events:PutEvents": f"arn:aws:events:{AT}:event-bus/nightshift_side",
    "states:StartExecution": f"arn:aws:states:{AT}:stateMachine:nightshift_walk",
    "secretsmanager:GetSecretValue": f"arn:aws:secretsmanager:{AT}:secret:desk/secret-",
    "ssm:GetParameter": f"arn:aws:ssm:{AT}:parameter/nightshift/desk",
    "s3:PutObject": '"arn:aws:s3:::nightshift-desk/notes/1"',
    "s3:ListBucket": '"arn:aws:s3:::nightshift-desk"',
    "scheduler:GetSchedule": f"arn:aws:scheduler:{AT}:schedule/nightshift/permitted",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack of the application that lacks rights."""
    root = tmp_path_factory.mktemp("permissions")
    shutil.copytree(APPLICATION, root / "checkout", ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("shared", "functions"):
        (root / "checkout" / package).symlink_to(ROOT / package)
    stack = start(root / ".nightshift", "--template", str(root / "checkout" / "template.yaml"))
    stack.client("secretsmanager").create_secret(Name="desk/secret", SecretString="x")
    yield stack
    stop(stack)


def waiting(stack: RunningStack, queue: str, body: str) -> dict[str, Any]:
    """Wait for the message in whose body stands `body`, and return it."""
    sqs, url = stack.client("sqs"), stack.queue_url(queue)

    def look() -> dict[str, Any] | None:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=20
        )
        return next((each for each in answer.get("Messages", []) if body in each["Body"]), None)

    return until(look, f"a message with {body} in {queue}", limit=100)


def said(message: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}


@pytest.mark.parametrize("what", CALLS)
def test_a_function_whose_role_may_is_served(desk: RunningStack, what: str) -> None:
    ended = desk.ended(desk.send("desk/permitted", {"what": what}))

    assert (ended["status"], ended["output"], ended["error"]) == ("completed", what, None)


@pytest.mark.parametrize("what", CALLS)
def test_a_function_whose_role_may_not_fails_with_what_is_missing(desk: RunningStack, what: str) -> None:
    ended = desk.ended(desk.send("desk/barred", {"what": what}))

    assert (ended["status"], ended["attempts"]) == ("failed", 1)
    message = ended["error"]["message"]
    action = what.lower() if what.startswith("sqs:") else what
    assert "(AccessDenied" in message
    assert WORKER in message
    assert f"/nightshift_desk-barred is not authorized to perform: {action} on resource: {CALLS[what]}" in message
    assert f"because no identity-based policy allows the {action} action" in message


def test_a_state_machine_whose_role_may_not_call_its_function_fails(desk: RunningStack) -> None:
    ended = desk.ended(desk.send("desk/call", {"words": "hello"}))

    assert (ended["status"], ended["error"]["type"]) == ("failed", "Lambda.AWSLambdaException")
    (step,) = ended["steps"]
    assert (step["step"], step["status"]) == ("pick_up", "failed")
    message = step["attempts"][0]["error"]["message"]
    assert message.startswith("User: arn:aws:sts::123456789012:assumed-role/nightshift-DeskCallStateMachineRole-")
    assert (
        f"is not authorized to perform: lambda:InvokeFunction on resource: arn:aws:lambda:{AT}:function:"
        "nightshift_desk-call because no identity-based policy allows the lambda:InvokeFunction action"
    ) in message


def test_an_event_for_a_queue_that_does_not_let_its_rule_in_is_undelivered(desk: RunningStack) -> None:
    entry = {"EventBusName": "nightshift", "Source": "test", "DetailType": "desk/closed", "Detail": "{}"}

    [put] = desk.client("events").put_events(Entries=[entry])["Entries"]

    letter = waiting(desk, "undelivered", put["EventId"])
    assert json.loads(letter["Body"])["detail-type"] == "desk/closed"
    assert said(letter)["ERROR_CODE"] == "NO_PERMISSIONS"
    assert said(letter)["TARGET_ARN"] == f"arn:aws:sqs:{AT}:nightshift_closed"
    assert desk.messages("closed") == {"": 0, "NotVisible": 0, "Delayed": 0}


def test_a_schedule_whose_role_may_not_send_is_undelivered(desk: RunningStack) -> None:
    letter = waiting(desk, "undelivered", "barred")
    waiting(desk, "ticks", "permitted")

    assert said(letter)["ERROR_CODE"] == "AccessDenied"
    assert (
        f"is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:{AT}:nightshift_ticks"
        in (said(letter)["ERROR_MESSAGE"])
    )


def test_a_role_that_lambda_may_not_assume_stops_the_stack_from_starting(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("def handler(event, context): ...\n")
    (tmp_path / "template.yaml").write_text(
        """
        Resources:
          Role:
            Type: AWS::IAM::Role
            Properties:
              RoleName: for-another
              AssumeRolePolicyDocument:
                Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
          Function:
            Type: AWS::Lambda::Function
            Properties: {FunctionName: f, Handler: code.handler, Runtime: python3.13, Role: !GetAtt Role.Arn}
        """
    )

    answer = dev(tmp_path / "state", "--template", str(tmp_path / "template.yaml"))

    assert answer.code == 1
    assert (
        "f: lambda.amazonaws.com may not assume arn:aws:iam::123456789012:role/for-another: "
        "its trust policy does not name that service"
    ) in answer.err
