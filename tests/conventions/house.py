"""The template and what it names in Python, side by side, for the tests that compare them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.template.document import read_document
from local.template.placement import Placement
from local.template.registry import function_id
from local.template.resolve import ResolvedTemplate, Resource, resolve
from local.template.translate import translate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from shared.engine import Task, Workflow

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = ROOT / "template.yaml"


@dataclass(frozen=True)
class Deployed:
    """One function of the template, with its inbox and its state machine where it has them."""

    id: str
    resource: Resource
    mapping: Resource | None
    inbox: Resource | None
    machine: Resource | None

    @property
    def prefix(self) -> str:
        """What its resources' logical ids begin with."""
        return "".join(part.title() for part in self.id.split("-"))

    @property
    def timeout(self) -> int:
        return int(self.resource.properties["Timeout"])

    @property
    def module_name(self) -> str:
        return str(self.resource.properties["Handler"]).rpartition(".")[0]

    @property
    def source(self) -> Path:
        return ROOT / (self.module_name.replace(".", "/") + ".py")

    @property
    def module(self) -> ModuleType:
        return importlib.import_module(self.module_name)

    @property
    def definition(self) -> Task[Any] | Workflow[Any] | None:
        """Its `workflow` or `task`; the platform's own functions have neither."""
        return getattr(self.module, "workflow", None) or getattr(self.module, "task", None)


@dataclass(frozen=True)
class House:
    """The template as it is written, translated and resolved."""

    document: dict[str, Any]
    translated: dict[str, Any]
    template: ResolvedTemplate
    functions: tuple[Deployed, ...]

    @property
    def with_inbox(self) -> list[tuple[Deployed, Resource, Resource]]:
        """Each function that has an inbox, with its mapping and its inbox."""
        return [(each, each.mapping, each.inbox) for each in self.functions if each.mapping and each.inbox]

    @property
    def alarms(self) -> list[Resource]:
        return self.template.of_type("AWS::CloudWatch::Alarm")

    def queue(self, arn: str) -> Resource | None:
        """Return the template's queue of that ARN."""
        queues = self.template.of_type("AWS::SQS::Queue")
        return next((queue for queue in queues if queue.identity.attributes["Arn"] == arn), None)

    def machine_files(self) -> Iterator[tuple[str, Path]]:
        """Yield each state machine's logical id and the file of its definition."""
        for logical_id, resource in self.document["Resources"].items():
            if resource["Type"] == "AWS::Serverless::StateMachine":
                yield logical_id, ROOT / resource["Properties"]["DefinitionUri"]


@cache
def house() -> House:
    """Return the house, built once per process: as it is deployed with a database in a VPC."""
    translated = translate(TEMPLATE)
    vpc = {"DatabaseSubnetIds": "subnet-1", "DatabaseSecurityGroupIds": "sg-1"}
    template = resolve(translated, vpc, Placement(), stand_in="given at deployment")
    return House(read_document(TEMPLATE), translated, template, tuple(_functions(template)))


def _functions(template: ResolvedTemplate) -> Iterator[Deployed]:
    mappings = {each.properties["FunctionName"]: each for each in template.of_type("AWS::Lambda::EventSourceMapping")}
    queues = {each.identity.attributes["Arn"]: each for each in template.of_type("AWS::SQS::Queue")}
    machines = {each.identity.attributes["Name"]: each for each in template.of_type("AWS::StepFunctions::StateMachine")}
    for function in template.of_type("AWS::Lambda::Function"):
        name = function.identity.ref
        mapping = mappings.get(name)
        inbox = queues[mapping.properties["EventSourceArn"]] if mapping else None
        yield Deployed(function_id(template, name), function, mapping, inbox, machines.get(name))
