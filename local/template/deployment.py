"""What a deployed template asks of the local stack beside AWS's own state: what to run, to poll and to fire."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.lambda_service.event_sources import EventSourceMapping
from local.lambda_service.function_config import FunctionConfig
from local.template.errors import TemplateError
from local.template.plan import plan
from local.template.planners import definition_of
from local.template.registry import registry_in
from local.template.resolve import resolve
from local.template.translate import translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from local.template.call import Call
    from local.template.placement import Placement
    from local.template.resolve import ResolvedTemplate, Resource


@dataclass(frozen=True)
class Schedule:
    """When what is sent where. `input` still holds EventBridge Scheduler's `<aws.scheduler.…>` keywords."""

    name: str
    group: str
    expression: str
    time_zone: str
    target_arn: str
    input: str
    state: str = "ENABLED"
    arn: str = ""
    role_arn: str = ""
    dead_letter_arn: str | None = None


@dataclass(frozen=True)
class StateMachine:
    """A machine and its definition as JSON, substitutions filled in."""

    name: str
    arn: str
    definition: str
    role_arn: str = ""


@dataclass(frozen=True)
class Deployment:
    """A template, ready to run. `calls` provision what the local AWS holds; the rest is the stack's own to serve."""

    placement: Placement
    calls: tuple[Call, ...]
    functions: tuple[FunctionConfig, ...]
    event_source_mappings: tuple[EventSourceMapping, ...]
    schedules: tuple[Schedule, ...]
    state_machines: tuple[StateMachine, ...]
    parameters: Mapping[str, str | list[str]]
    outputs: Mapping[str, str]
    registry: Mapping[str, Any]


def expand(path: Path, placement: Placement, parameters: Mapping[str, str] | None = None) -> Deployment:
    """Return what the SAM template at `path` comes to in `placement`; `parameters` override its defaults.

    Raises:
        TemplateError: the template cannot be expanded.
    """
    given = dict(parameters or {})
    return deployment_of(resolve(translate(path, given, region=placement.region), given, placement))


def deployment_of(template: ResolvedTemplate) -> Deployment:
    """Return what a resolved template asks of the local stack."""
    mappings = tuple(
        _mapping(each, template) for each in template.of_type("AWS::Lambda::EventSourceMapping") if _is_enabled(each)
    )
    limits = {mapping.function_name: mapping.maximum_concurrency for mapping in mappings}
    return Deployment(
        placement=template.placement,
        calls=plan(template),
        functions=tuple(_function(each, limits) for each in template.of_type("AWS::Lambda::Function")),
        event_source_mappings=mappings,
        schedules=tuple(_schedule(each) for each in template.of_type("AWS::Scheduler::Schedule")),
        state_machines=tuple(_machine(each) for each in template.of_type("AWS::StepFunctions::StateMachine")),
        parameters=template.parameters,
        outputs=template.outputs,
        registry=registry_in(template),
    )


def _function(function: Resource, limits: Mapping[str, int | None]) -> FunctionConfig:
    properties = function.properties
    if "Handler" not in properties:
        raise TemplateError(f"{function.logical_id}: a function without a Handler cannot run locally")
    variables = properties.get("Environment", {}).get("Variables", {})
    bounds = (properties.get("ReservedConcurrentExecutions"), limits.get(function.identity.ref))
    return FunctionConfig(
        name=function.identity.ref,
        handler=properties["Handler"],
        timeout_seconds=float(properties.get("Timeout", 3)),
        memory_mb=int(properties.get("MemorySize", 128)),
        environment={name: _text(value) for name, value in variables.items()},
        maximum_concurrency=_least(bounds),
        role_arn=properties.get("Role", ""),
    )


def _mapping(mapping: Resource, template: ResolvedTemplate) -> EventSourceMapping:
    properties = mapping.properties
    queues = {queue.identity.attributes["Arn"] for queue in template.of_type("AWS::SQS::Queue")}
    if properties["EventSourceArn"] not in queues:
        raise TemplateError(f"{mapping.logical_id}: only queues of the template are polled locally")
    maximum = properties.get("ScalingConfig", {}).get("MaximumConcurrency")
    return EventSourceMapping(
        function_name=str(properties["FunctionName"]).rpartition(":")[2],  # a name or an ARN
        queue_arn=properties["EventSourceArn"],
        batch_size=int(properties.get("BatchSize", 10)),
        window_seconds=float(properties.get("MaximumBatchingWindowInSeconds", 0)),
        maximum_concurrency=None if maximum is None else int(maximum),
        report_batch_item_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
    )


def _is_enabled(mapping: Resource) -> bool:
    return _text(mapping.properties.get("Enabled", True)) == "true"


def _schedule(schedule: Resource) -> Schedule:
    properties, target = schedule.properties, schedule.properties["Target"]
    return Schedule(
        name=schedule.identity.ref,
        group=properties.get("GroupName", "default"),
        expression=properties["ScheduleExpression"],
        time_zone=properties.get("ScheduleExpressionTimezone", "UTC"),
        target_arn=target["Arn"],
        input=target.get("Input", ""),
        state=properties.get("State", "ENABLED"),
        arn=schedule.identity.attributes["Arn"],
        role_arn=target.get("RoleArn", ""),
        dead_letter_arn=target.get("DeadLetterConfig", {}).get("Arn"),
    )


def _machine(machine: Resource) -> StateMachine:
    return StateMachine(
        name=machine.identity.attributes["Name"],
        arn=machine.identity.ref,
        definition=definition_of(machine),
        role_arn=machine.properties.get("RoleArn", ""),
    )


def _least(bounds: Iterable[Any]) -> int | None:
    return min((int(bound) for bound in bounds if bound is not None), default=None)


def _text(value: Any) -> str:
    """Return a scalar as CloudFormation writes it where a text is wanted: `true`, not `True`."""
    return value if isinstance(value, str) else json.dumps(value)
