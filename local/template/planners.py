"""How each type of resource comes to be: the calls that create it, or why nothing creates it.

A property that a planner neither uses nor names as `unused` is an error: what the local stack leaves out is left out
on purpose.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from local.aws.access.patterns import PolicyError
from local.aws.access.policies import read_policy
from local.template.call import Call
from local.template.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.template.resolve import Resource

# Resources that exist only in AWS, and what stands in for them.
NOT_PROVISIONED: Final[Mapping[str, str]] = {
    "AWS::CloudWatch::Alarm": "no metric is collected on a laptop; what an alarm would say, the ledger and logs show",
    "AWS::Lambda::EventSourceMapping": "polled by the local Lambda service: Deployment.event_source_mappings",
    "AWS::Lambda::Function": "run by the local Lambda service: Deployment.functions",
    "AWS::Lambda::LayerVersion": "the workers import what the virtual environment has",
    "AWS::Lambda::Permission": "nothing on a laptop calls a function by its resource policy",
    "AWS::S3::BucketPolicy": "it asks for TLS, which a loopback address does without",
}


def _queue(queue: Resource) -> Iterator[Call]:
    attributes = {name: value for name, value in queue.properties.items() if name not in ("QueueName", "Tags")}
    texts = {name: value if isinstance(value, str) else _json(value) for name, value in attributes.items()}
    yield _call(queue, "sqs", "create_queue", QueueName=queue.identity.attributes["QueueName"], Attributes=texts)


def _queue_policy(policy: Resource) -> Iterator[Call]:
    given = _given(policy, "Queues", "PolicyDocument")
    for url in given["Queues"]:
        attributes = {"Policy": _policy_json(policy, given["PolicyDocument"])}
        yield _call(policy, "sqs", "set_queue_attributes", QueueUrl=url, Attributes=attributes)


def _event_bus(bus: Resource) -> Iterator[Call]:
    given = _given(bus, "Description", unused=("Name", "Tags"))
    yield _call(bus, "events", "create_event_bus", Name=bus.identity.ref, **given)


def _archive(archive: Resource) -> Iterator[Call]:
    given = _given(archive, "SourceArn", "Description", "EventPattern", "RetentionDays", unused=("ArchiveName",))
    if "EventPattern" in given:
        given["EventPattern"] = _json(given["EventPattern"])
    yield _call(
        archive,
        "events",
        "create_archive",
        ArchiveName=archive.identity.ref,
        EventSourceArn=given.pop("SourceArn"),
        **given,
    )


def _rule(rule: Resource) -> Iterator[Call]:
    bus = ("EventBusName",)
    used = ("Description", "EventPattern", "ScheduleExpression", "State", "RoleArn", "Targets", *bus)
    given = _given(rule, *used, unused=("Name",))
    targets = given.pop("Targets", [])
    named = {name: given[name] for name in bus if name in given}
    if "EventPattern" in given:
        given["EventPattern"] = _json(given["EventPattern"])
    name = rule.identity.ref.rpartition("|")[2]
    yield _call(rule, "events", "put_rule", Name=name, **given)
    if targets:
        yield _call(rule, "events", "put_targets", Rule=name, **named, Targets=targets)


def _table(table: Resource) -> Iterator[Call]:
    # moto keeps no point in time to go back to, encrypts nothing and lets nobody delete by mistake
    unused = ("TableName", "PointInTimeRecoverySpecification", "SSESpecification", "DeletionProtectionEnabled", "Tags")
    indexes = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
    layout = ("AttributeDefinitions", "KeySchema", *indexes)
    used = (*layout, "BillingMode", "ProvisionedThroughput", "StreamSpecification", "TimeToLiveSpecification")
    given = _given(table, *used, unused=unused)
    expiry = given.pop("TimeToLiveSpecification", None)
    yield _call(table, "dynamodb", "create_table", TableName=table.identity.ref, **given)
    if expiry:
        parameters = {"TableName": table.identity.ref, "TimeToLiveSpecification": expiry}
        yield _call(table, "dynamodb", "update_time_to_live", **parameters)


def _role(role: Resource) -> Iterator[Call]:
    used = ("AssumeRolePolicyDocument", "Description", "ManagedPolicyArns", "Policies")
    given = _given(role, *used, unused=("RoleName", "MaxSessionDuration", "Tags"))
    name, trust = role.identity.ref, _policy_json(role, given["AssumeRolePolicyDocument"])
    yield _call(role, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust)
    for policy in given.get("Policies", []):
        parameters = {
            "PolicyName": policy["PolicyName"],
            "PolicyDocument": _policy_json(role, policy["PolicyDocument"]),
        }
        yield _call(role, "iam", "put_role_policy", RoleName=name, **parameters)
    for arn in given.get("ManagedPolicyArns", []):
        yield _call(role, "iam", "attach_role_policy", RoleName=name, PolicyArn=arn)


def _managed_policy(policy: Resource) -> Iterator[Call]:
    given = _given(policy, "Description", "PolicyDocument", unused=("ManagedPolicyName",))
    given["PolicyDocument"] = _policy_json(policy, given["PolicyDocument"])
    yield _call(policy, "iam", "create_policy", PolicyName=policy.identity.ref.rpartition("/")[2], **given)


def _bucket(bucket: Resource) -> Iterator[Call]:
    # the stack's objects are gone with its process, and nobody else reaches its loopback address
    protection = ("BucketEncryption", "OwnershipControls", "PublicAccessBlockConfiguration")
    _given(bucket, unused=("BucketName", "LifecycleConfiguration", "Tags", *protection))
    yield _call(bucket, "s3", "create_bucket", Bucket=bucket.identity.ref)


def _log_group(group: Resource) -> Iterator[Call]:
    given = _given(group, "RetentionInDays", unused=("LogGroupName", "Tags"))
    yield _call(group, "logs", "create_log_group", logGroupName=group.identity.ref)
    if "RetentionInDays" in given:
        days = int(given["RetentionInDays"])
        yield _call(group, "logs", "put_retention_policy", logGroupName=group.identity.ref, retentionInDays=days)


def _log_policy(policy: Resource) -> Iterator[Call]:
    given = _given(policy, "PolicyName", "PolicyDocument")
    document = _policy_json(policy, json.loads(given["PolicyDocument"]))
    yield _call(policy, "logs", "put_resource_policy", policyName=given["PolicyName"], policyDocument=document)


def _topic(topic: Resource) -> Iterator[Call]:
    _given(topic, unused=("TopicName", "DisplayName", "KmsMasterKeyId", "Tags"))
    yield _call(topic, "sns", "create_topic", Name=topic.identity.attributes["TopicName"])


def _parameter(parameter: Resource) -> Iterator[Call]:
    given = _given(parameter, "Type", "Value", "Description", "AllowedPattern", unused=("Name", "Tags", "Tier"))
    yield _call(parameter, "ssm", "put_parameter", Name=parameter.identity.ref, **given)


def _schedule_group(group: Resource) -> Iterator[Call]:
    _given(group, unused=("Name", "Tags"))
    yield _call(group, "scheduler", "create_schedule_group", Name=group.identity.ref)


def _schedule(schedule: Resource) -> Iterator[Call]:
    times = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "StartDate", "EndDate")
    given = _given(schedule, *times, "GroupName", "Description", "State", "Target", unused=("Name",))
    yield _call(schedule, "scheduler", "create_schedule", Name=schedule.identity.ref, **given)


def _state_machine(machine: Resource) -> Iterator[Call]:
    # a local run's history is complete and always kept, so neither setting adds anything
    settings = ("LoggingConfiguration", "TracingConfiguration", "Tags")
    read_elsewhere = ("StateMachineName", "Definition", "DefinitionString", "DefinitionSubstitutions")
    given = _given(machine, "RoleArn", "StateMachineType", unused=(*settings, *read_elsewhere))
    yield _call(
        machine,
        "stepfunctions",
        "create_state_machine",
        name=machine.identity.attributes["Name"],
        definition=definition_of(machine),
        roleArn=given["RoleArn"],
        type=given.get("StateMachineType", "STANDARD"),
    )


PLANNERS: Final[Mapping[str, Callable[[Resource], Iterator[Call]]]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::Events::Archive": _archive,
    "AWS::Events::EventBus": _event_bus,
    "AWS::Events::Rule": _rule,
    "AWS::IAM::ManagedPolicy": _managed_policy,
    "AWS::IAM::Role": _role,
    "AWS::Logs::LogGroup": _log_group,
    "AWS::Logs::ResourcePolicy": _log_policy,
    "AWS::S3::Bucket": _bucket,
    "AWS::SNS::Topic": _topic,
    "AWS::SQS::Queue": _queue,
    "AWS::SQS::QueuePolicy": _queue_policy,
    "AWS::SSM::Parameter": _parameter,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::Scheduler::ScheduleGroup": _schedule_group,
    "AWS::StepFunctions::StateMachine": _state_machine,
}


def definition_of(machine: Resource) -> str:
    """Return a state machine's definition as JSON, its `${Name}` substitutions filled in.

    Raises:
        TemplateError: it has none, or what the substitutions make of it is not JSON.
    """
    properties = machine.properties
    text = properties.get("DefinitionString") or json.dumps(properties.get("Definition"))
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace("${" + name + "}", str(value))
    try:
        definition = json.loads(text)
    except ValueError as error:
        raise TemplateError(f"{machine.logical_id}: the definition is not JSON: {error}") from None
    if not isinstance(definition, dict):
        raise TemplateError(f"{machine.logical_id}: there is no definition")
    return json.dumps(definition)


def _given(resource: Resource, *used: str, unused: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return those of the `used` properties that the resource has."""
    for name in resource.properties:
        if name not in used and name not in unused:
            raise TemplateError(f"{resource.logical_id}: {resource.type}.{name} is not known to local/template")
    return {name: resource.properties[name] for name in used if name in resource.properties}


def _policy_json(resource: Resource, document: Any) -> str:
    """Return a policy as JSON; one that could not be evaluated is refused now, while its place is known.

    SAM's own policies leave out the version, which AWS allows and moto 5.2.5 does not; it matters to policy variables,
    which are refused.
    """
    text = json.dumps({"Version": "2012-10-17"} | document)
    try:
        read_policy(text)
    except PolicyError as error:
        raise TemplateError(f"{resource.logical_id}: {error}") from None
    return text


def _call(resource: Resource, service: str, operation: str, **parameters: Any) -> Call:
    return Call(service, operation, parameters, resource.logical_id)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
