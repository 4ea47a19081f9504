"""Intrinsics and the names that AWS would give."""

import re
from typing import Any

import pytest

from local.template.errors import TemplateError
from local.template.placement import Placement
from local.template.resolve import ResolvedTemplate, resolve

PLACEMENT = Placement(endpoint_url="http://127.0.0.1:4566")


def resolved(template: dict[str, Any], **parameters: str) -> ResolvedTemplate:
    return resolve({"Resources": {}} | template, parameters, PLACEMENT)


def value_of(value: Any, **sections: Any) -> Any:
    """Return what `value` resolves to as the property of a resource."""
    resources = {"Subject": {"Type": "AWS::SSM::Parameter", "Properties": {"Description": value}}}
    sections["Resources"] = resources | sections.get("Resources", {})
    return resolved(sections).resources["Subject"].properties["Description"]


QUEUE = {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Sub": "${AWS::StackName}_q"}}}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "AWS::Region"}, "us-east-1"),
        ({"Ref": "Queue"}, "http://127.0.0.1:4566/123456789012/nightshift_q"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:123456789012:nightshift_q"),
        ({"Fn::GetAtt": "Queue.QueueName"}, "nightshift_q"),
        ({"Fn::Sub": "${AWS::Partition}/${Queue.QueueName}/${!Kept}"}, "aws/nightshift_q/${Kept}"),
        ({"Fn::Sub": ["${a}${Queue.QueueName}", {"a": {"Ref": "AWS::AccountId"}}]}, "123456789012nightshift_q"),
        ({"Fn::Join": ["-", ["a", {"Ref": "AWS::StackName"}, 1]]}, "a-nightshift-1"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b,c"]}]}, "b"),
        ({"Fn::Select": ["0", ["a", {"Ref": "AWS::NoValue"}]]}, "a"),
        ([{"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"Ref": "AWS::NoValue"}], [{"b": 1}]),
        ({"Fn": "not an intrinsic"}, {"Fn": "not an intrinsic"}),
    ],
)
def test_resolves_each_intrinsic(value: Any, expected: Any) -> None:
    assert value_of(value, Resources=QUEUE) == expected


@pytest.mark.parametrize(
    ("condition", "truth"),
    [
        ({"Fn::Equals": ["a", {"Ref": "Letter"}]}, True),
        ({"Fn::Equals": [1, "1"]}, True),
        ({"Fn::Not": [{"Fn::Equals": ["a", "a"]}]}, False),
        ({"Fn::And": [{"Condition": "Other"}, {"Fn::Equals": ["a", "b"]}]}, False),
        ({"Fn::Or": [{"Condition": "Other"}, {"Fn::Equals": ["a", "b"]}]}, True),
    ],
)
def test_decides_conditions(condition: Any, truth: object) -> None:
    sections = {
        "Parameters": {"Letter": {"Type": "String", "Default": "a"}},
        "Conditions": {"Decided": condition, "Other": {"Fn::Equals": ["", ""]}},
    }

    assert value_of({"Fn::If": ["Decided", True, False]}, **sections) is truth


def test_leaves_out_what_its_condition_excludes() -> None:
    template = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {"Gone": {"Type": "Unknown::To::Us", "Condition": "Never"}, **QUEUE},
        "Outputs": {"Gone": {"Condition": "Never", "Value": {"Ref": "Gone"}}, "Kept": {"Value": {"Ref": "Queue"}}},
    }

    result = resolved(template)

    assert list(result.resources) == ["Queue"]
    assert list(result.outputs) == ["Kept"]


@pytest.mark.parametrize(
    ("kind", "properties", "ref", "attributes"),
    [
        (
            "AWS::Events::Rule",
            {"Name": "r", "EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/b"},
            "b|r",
            {"Arn": "arn:aws:events:us-east-1:123456789012:rule/b/r"},
        ),
        ("AWS::Events::Rule", {"Name": "r"}, "r", {"Arn": "arn:aws:events:us-east-1:123456789012:rule/r"}),
        (
            "AWS::Logs::LogGroup",
            {"LogGroupName": "/g"},
            "/g",
            {"Arn": "arn:aws:logs:us-east-1:123456789012:log-group:/g:*"},
        ),
        ("AWS::IAM::Role", {"RoleName": "r"}, "r", {"Arn": "arn:aws:iam::123456789012:role/r"}),
        (
            "AWS::StepFunctions::StateMachine",
            {"StateMachineName": "m"},
            "arn:aws:states:us-east-1:123456789012:stateMachine:m",
            {"Name": "m", "Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"},
        ),
        (
            "AWS::SSM::Parameter",
            {"Name": "/p", "Type": "String", "Value": "90"},
            "/p",
            {"Type": "String", "Value": "90"},
        ),
        (
            "AWS::Scheduler::Schedule",
            {"Name": "s", "GroupName": "g"},
            "s",
            {"Arn": "arn:aws:scheduler:us-east-1:123456789012:schedule/g/s"},
        ),
        ("AWS::S3::Bucket", {"BucketName": "b"}, "b", {"Arn": "arn:aws:s3:::b"}),
        (
            "AWS::SNS::Topic",
            {"TopicName": "t"},
            "arn:aws:sns:us-east-1:123456789012:t",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:t", "TopicName": "t"},
        ),
    ],
)
def test_names_resources_as_aws_does(
    kind: str, properties: dict[str, Any], ref: str, attributes: dict[str, str]
) -> None:
    identity = resolved({"Resources": {"It": {"Type": kind, "Properties": properties}}}).resources["It"].identity

    assert identity.ref == ref
    assert identity.attributes == attributes


def test_gives_a_nameless_resource_the_same_name_each_time() -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}

    first, second = (resolved(template).resources["Queue"].identity for _ in range(2))

    assert first == second
    assert first.attributes["QueueName"].startswith("nightshift-Queue-")


def test_gives_a_nameless_bucket_a_name_that_s3_takes() -> None:
    bucket = resolved({"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}}).resources["Bucket"].identity.ref

    assert re.fullmatch(r"nightshift-bucket-[0-9a-f]{12}", bucket)


def test_resolves_no_more_of_a_resource_than_names_it() -> None:
    # each refers to the other, but neither's name depends on the other's
    resources: dict[str, dict[str, Any]] = {
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": "q", "Tags": [{"Key": "of", "Value": {"Ref": "Topic"}}]},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": {"Fn::GetAtt": ["Queue", "QueueName"]}}},
    }

    with pytest.raises(TemplateError, match="circle of dependencies"):
        resolved({"Resources": resources})
    del resources["Queue"]["Properties"]["Tags"]
    assert resolved({"Resources": resources}).resources["Topic"].identity.ref.endswith(":q")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"Fn::GetAZs": ""}, "Resources.Subject.Description: unknown intrinsic Fn::GetAZs"),
        ({"Ref": "Absent"}, "neither a parameter nor a resource"),
        ({"Fn::GetAtt": ["Absent", "Arn"]}, "Absent, which is not a resource"),
        ({"Fn::GetAtt": ["Queue", "Colour"]}, "Queue has no attribute Colour"),
        ({"Fn::If": ["Absent", 1, 2]}, "no condition Absent"),
        ({"Fn::Select": [3, ["a"]]}, "takes item 3 of 1"),
        ({"Fn::Join": ["only a delimiter"]}, "malformed Fn::Join"),
        ({"Fn::Join": [",", "text"]}, "expected a list"),
        ({"Ref": ["a list"]}, "malformed Ref"),
    ],
)
def test_says_where_a_template_is_wrong(value: Any, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        value_of(value, Resources=QUEUE)


def test_refuses_a_name_that_depends_on_itself() -> None:
    conditions = {"A": {"Condition": "B"}, "B": {"Condition": "A"}}

    with pytest.raises(TemplateError, match="circle of references"):
        value_of({"Fn::If": ["A", 1, 2]}, Conditions=conditions)


def test_refuses_a_type_that_it_cannot_name() -> None:
    with pytest.raises(TemplateError, match="AWS::Kinesis::Stream"):
        resolved({"Resources": {"Stream": {"Type": "AWS::Kinesis::Stream"}}})
