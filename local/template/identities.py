"""What AWS calls a resource once it exists: the values of Ref and Fn::GetAtt, composed without asking anybody.

The forms are those of the CloudFormation resource reference ("Return values" of each type) and of the service
authorization reference (ARN formats):
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.template.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.template.placement import Placement


@dataclass(frozen=True)
class Identity:
    """One resource's Ref and attributes."""

    ref: str
    attributes: Mapping[str, str]


@dataclass(frozen=True)
class _Kind:
    """How a type is named: the property that does it, and its ARN as a service and what follows the account.

    Formats know {name}, {arn}, {url}, {uuid} and the properties that `needs` lists.
    """

    name: str | None = None
    arn: tuple[str, str] | None = None
    ref: str = "{name}"
    attributes: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


_KINDS: Mapping[str, _Kind] = {
    "AWS::CloudWatch::Alarm": _Kind("AlarmName", ("cloudwatch", "alarm:{name}"), attributes={"Arn": "{arn}"}),
    "AWS::DynamoDB::Table": _Kind("TableName", ("dynamodb", "table/{name}"), attributes={"Arn": "{arn}"}),
    "AWS::Events::Archive": _Kind(
        "ArchiveName", ("events", "archive/{name}"), attributes={"Arn": "{arn}", "ArchiveName": "{name}"}
    ),
    "AWS::Events::EventBus": _Kind(
        "Name", ("events", "event-bus/{name}"), attributes={"Arn": "{arn}", "Name": "{name}"}
    ),
    "AWS::Events::Rule": _Kind(
        "Name", ("events", "rule/{bus_path}{name}"), "{bus_ref}{name}", {"Arn": "{arn}"}, needs=("EventBusName",)
    ),
    "AWS::IAM::ManagedPolicy": _Kind("ManagedPolicyName", ("iam", "policy/{name}"), "{arn}"),
    "AWS::IAM::Role": _Kind("RoleName", ("iam", "role/{name}"), attributes={"Arn": "{arn}"}),
    "AWS::Lambda::EventSourceMapping": _Kind(
        None,
        ("lambda", "event-source-mapping:{uuid}"),
        "{uuid}",
        {"Id": "{uuid}", "EventSourceMappingArn": "{arn}"},
    ),
    "AWS::Lambda::Function": _Kind("FunctionName", ("lambda", "function:{name}"), attributes={"Arn": "{arn}"}),
    "AWS::Lambda::LayerVersion": _Kind(
        "LayerName", ("lambda", "layer:{name}:1"), "{arn}", {"LayerVersionArn": "{arn}"}
    ),
    "AWS::Lambda::Permission": _Kind(),
    "AWS::Logs::LogGroup": _Kind("LogGroupName", ("logs", "log-group:{name}"), attributes={"Arn": "{arn}:*"}),
    "AWS::Logs::ResourcePolicy": _Kind("PolicyName"),
    "AWS::S3::Bucket": _Kind("BucketName", ("s3", "{name}"), attributes={"Arn": "{arn}"}),
    "AWS::S3::BucketPolicy": _Kind(),
    "AWS::SNS::Topic": _Kind("TopicName", ("sns", "{name}"), "{arn}", {"TopicArn": "{arn}", "TopicName": "{name}"}),
    "AWS::SQS::Queue": _Kind(
        "QueueName", ("sqs", "{name}"), "{url}", {"Arn": "{arn}", "QueueName": "{name}", "QueueUrl": "{url}"}
    ),
    "AWS::SQS::QueuePolicy": _Kind(),
    "AWS::SSM::Parameter": _Kind(
        "Name", attributes={"Type": "{Type}", "Value": "{Value}"}, needs=("Type", "Value")
    ),
    "AWS::Scheduler::Schedule": _Kind(
        "Name", ("scheduler", "schedule/{group}/{name}"), attributes={"Arn": "{arn}"}, needs=("GroupName",)
    ),
    "AWS::Scheduler::ScheduleGroup": _Kind(
        "Name", ("scheduler", "schedule-group/{name}"), attributes={"Arn": "{arn}"}
    ),
    "AWS::StepFunctions::StateMachine": _Kind(
        "StateMachineName", ("states", "stateMachine:{name}"), "{arn}", {"Arn": "{arn}", "Name": "{name}"}
    ),
}  # fmt: skip


def naming_properties(kind: str) -> tuple[str, ...]:
    """Return the properties of the type that its identity depends on.

    Raises:
        TemplateError: nothing is known of the type.
    """
    known = _KINDS.get(kind)
    if known is None:
        raise TemplateError(f"{kind}: a resource type that local/template does not know")
    return (*([known.name] if known.name else []), *known.needs)


def identify(kind: str, logical_id: str, properties: Mapping[str, Any], placement: Placement) -> Identity:
    """Return the identity of a resource whose naming `properties` are resolved.

    A resource that the template does not name gets a name that stays the same from start to start.
    """
    known = _KINDS[kind]
    name = properties.get(known.name) if known.name else None
    name = str(name) if name is not None else placement.generated_name(logical_id)
    if kind == "AWS::S3::Bucket":
        name = name.lower()  # so CloudFormation generates it
    bus = str(properties.get("EventBusName") or "default").rpartition("/")[2]
    values = {
        "name": name,
        "url": placement.queue_url(name),
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{placement.stack_name}/{logical_id}")),
        # a rule of the default bus is named without it
        "bus_path": "" if bus == "default" else f"{bus}/",
        "bus_ref": "" if bus == "default" else f"{bus}|",
        "group": properties.get("GroupName") or "default",
    } | {needed: properties.get(needed, "") for needed in known.needs}
    values["arn"] = _arn(known, values, placement)
    return Identity(
        ref=known.ref.format_map(values),
        attributes={attribute: form.format_map(values) for attribute, form in known.attributes.items()},
    )


def _arn(kind: _Kind, values: Mapping[str, Any], placement: Placement) -> str:
    if kind.arn is None:
        return ""
    service, resource = kind.arn
    beginning = placement.arn(service)
    if service == "iam":  # the same in every region, so its ARNs name none
        beginning = f"arn:{placement.partition}:iam::{placement.account_id}"
    if service == "s3":  # and a bucket's name is taken once in all the partition
        beginning = f"arn:{placement.partition}:s3::"
    return f"{beginning}:{resource.format_map(values)}"
