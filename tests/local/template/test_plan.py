"""The calls that create resources."""

import json
from typing import Any

import pytest

from local.template.call import Call
from local.template.errors import TemplateError
from local.template.placement import Placement
from local.template.plan import plan
from local.template.resolve import resolve

ARN = "arn:aws:sqs:us-east-1:123456789012"


def planned(resources: dict[str, Any]) -> tuple[Call, ...]:
    return plan(resolve({"Resources": resources}, {}, Placement(endpoint_url="http://127.0.0.1:4566")))


def test_creates_a_dead_letter_queue_before_its_inbox() -> None:
    resources = {
        "Inbox": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": "in",
                "VisibilityTimeout": 150,
                "SqsManagedSseEnabled": True,
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 10},
            },
        },
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "dead"}},
    }

    calls = planned(resources)

    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}:dead", "maxReceiveCount": 10})
    attributes = {"VisibilityTimeout": "150", "SqsManagedSseEnabled": "true", "RedrivePolicy": redrive}
    assert calls == (
        Call("sqs", "create_queue", {"QueueName": "dead", "Attributes": {}}),
        Call("sqs", "create_queue", {"QueueName": "in", "Attributes": attributes}),
    )


def test_puts_a_rule_and_its_targets_on_its_bus() -> None:
    target = {"Id": "inbox", "Arn": f"{ARN}:q", "DeadLetterConfig": {"Arn": f"{ARN}:u"}}
    resources = {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "b"}},
        "Rule": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Name": "r",
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": {"detail-type": ["a/b"]},
                "Targets": [target],
            },
        },
    }

    assert planned(resources) == (
        Call("events", "create_event_bus", {"Name": "b"}),
        Call("events", "put_rule", {"Name": "r", "EventBusName": "b", "EventPattern": '{"detail-type": ["a/b"]}'}),
        Call("events", "put_targets", {"Rule": "r", "EventBusName": "b", "Targets": [target]}),
    )


def test_fills_a_definition_before_it_is_sent() -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "StateMachineName": "m",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "DefinitionString": '{"StartAt": "A", "States": {"A": {"Type": "Succeed", "Output": "${Word}"}}}',
            "DefinitionSubstitutions": {"Word": "done"},
            "LoggingConfiguration": {"Level": "ERROR"},
        },
    }

    (call,) = planned({"Machine": machine})

    assert json.loads(call.parameters["definition"])["States"]["A"]["Output"] == "done"
    assert (call.operation, call.parameters["name"], call.parameters["type"]) == (
        "create_state_machine",
        "m",
        "STANDARD",
    )


def test_sets_a_tables_expiry_in_a_call_of_its_own() -> None:
    properties = {
        "TableName": "t",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
        "SSESpecification": {"SSEEnabled": True},
    }

    create, expiry = planned({"Table": {"Type": "AWS::DynamoDB::Table", "Properties": properties}})

    assert set(create.parameters) == {"TableName", "BillingMode", "AttributeDefinitions", "KeySchema"}
    assert expiry == Call(
        "dynamodb",
        "update_time_to_live",
        {"TableName": "t", "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True}},
    )


def test_creates_a_bucket_and_leaves_its_protection_to_aws() -> None:
    properties = {
        "BucketName": "b",
        "PublicAccessBlockConfiguration": {"BlockPublicAcls": True},
        "LifecycleConfiguration": {"Rules": []},
    }
    policy = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": {"Statement": []}}
    resources = {
        "Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties},
        "Policy": {"Type": "AWS::S3::BucketPolicy", "Properties": policy},
    }

    assert planned(resources) == (Call("s3", "create_bucket", {"Bucket": "b"}),)


def test_plans_nothing_for_what_only_aws_has() -> None:
    assert planned({"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}}) == ()


TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "s.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
READ = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}}


def test_creates_a_role_with_what_it_may_do() -> None:
    properties = {
        "RoleName": "r",
        "AssumeRolePolicyDocument": TRUST,
        "Policies": [{"PolicyName": "p", "PolicyDocument": READ}],
        "ManagedPolicyArns": [{"Ref": "Policy"}, "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"],
        "Tags": [],
    }
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "m", "PolicyDocument": READ}}

    calls = planned({"Role": {"Type": "AWS::IAM::Role", "Properties": properties}, "Policy": policy})

    trust = json.dumps({"Version": "2012-10-17"} | TRUST)
    assert calls == (
        Call("iam", "create_policy", {"PolicyName": "m", "PolicyDocument": json.dumps(READ)}),
        Call("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": trust}),
        Call("iam", "put_role_policy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": json.dumps(READ)}),
        Call("iam", "attach_role_policy", {"RoleName": "r", "PolicyArn": "arn:aws:iam::123456789012:policy/m"}),
        Call(
            "iam",
            "attach_role_policy",
            {"RoleName": "r", "PolicyArn": "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"},
        ),
    )


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ({"Condition": {"DateLessThan": {"aws:SourceArn": "x"}}}, "DateLessThan"),
        ({"Condition": {"StringEquals": {"aws:username": "x"}}}, "aws:username"),
        ({"Resource": "arn:aws:s3:::home/${aws:username}"}, "policy variables"),
        ({"Effect": "allow"}, "Allow or Deny"),
        ({"NotAction": "s3:GetObject"}, "one of Action and NotAction"),
    ],
)
def test_refuses_a_policy_that_could_not_be_evaluated(statement: dict[str, Any], reason: str) -> None:
    document = READ | {"Statement": [READ["Statement"] | statement]}  # type: ignore[operator] # it is a mapping
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}

    with pytest.raises(TemplateError, match=f"^Policy: .*{reason}"):
        planned({"Policy": policy})


def test_refuses_a_property_that_it_would_drop() -> None:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "g", "KmsKeyId": "k"}}

    with pytest.raises(TemplateError, match=r"Group: AWS::Logs::LogGroup\.KmsKeyId"):
        planned({"Group": group})


@pytest.mark.parametrize("definition", ['{"a": ', "null"])
def test_refuses_a_definition_that_is_none(definition: str) -> None:
    properties = {"RoleArn": "r", "DefinitionString": definition}

    with pytest.raises(TemplateError, match="Machine: "):
        planned({"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}})


def test_compares_calls_by_what_they_do() -> None:
    assert Call("sqs", "create_queue", {"QueueName": "q"}, "A") == Call("sqs", "create_queue", {"QueueName": "q"}, "B")
