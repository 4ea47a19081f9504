"""The payload bucket is private, keeps what anything still refers to, and is open to every function with an inbox."""

from datetime import timedelta
from typing import Any

from local.template.resolve import Resource
from shared.engine.payloads import PREFIX
from shared.engine.row import KEPT
from tests.conventions.house import house


def only(kind: str) -> Resource:
    [resource] = house().template.of_type(kind)
    return resource


def statement_on_payloads(resource: Resource) -> list[dict[str, Any]]:
    document = resource.properties["PolicyDocument"]
    arn = only("AWS::S3::Bucket").identity.attributes["Arn"]
    return [each for each in document["Statement"] if arn in str(each["Resource"])]


def test_an_object_outlives_what_refers_to_it() -> None:
    [rule] = only("AWS::S3::Bucket").properties["LifecycleConfiguration"]["Rules"]
    archive = timedelta(days=only("AWS::Events::Archive").properties["RetentionDays"])

    assert rule["Status"] == "Enabled"
    assert timedelta(days=rule["ExpirationInDays"]) > archive + KEPT


def test_the_bucket_is_closed_to_the_world() -> None:
    properties = only("AWS::S3::Bucket").properties

    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert "VersioningConfiguration" not in properties  # an expired object would stay as an old version


def test_the_bucket_takes_nothing_without_tls() -> None:
    [statement] = statement_on_payloads(only("AWS::S3::BucketPolicy"))

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_whoever_has_an_inbox_and_nobody_else_may_use_it() -> None:
    [policy] = [each for each in house().template.of_type("AWS::IAM::ManagedPolicy") if statement_on_payloads(each)]
    roles = {role.identity.attributes["Arn"]: role for role in house().template.of_type("AWS::IAM::Role")}

    for function in house().functions:
        role = roles[function.resource.properties["Role"]]
        may = policy.identity.ref in role.properties["ManagedPolicyArns"]
        assert may == (function.inbox is not None), function.id


def test_nobody_may_touch_anything_else_in_it() -> None:
    arn = only("AWS::S3::Bucket").identity.attributes["Arn"]
    [policy] = [each for each in house().template.of_type("AWS::IAM::ManagedPolicy") if statement_on_payloads(each)]

    assert [(each["Action"], each["Resource"]) for each in statement_on_payloads(policy)] == [
        (["s3:GetObject", "s3:PutObject"], f"{arn}/{PREFIX}*"),
        ("s3:ListBucket", arn),
    ]
