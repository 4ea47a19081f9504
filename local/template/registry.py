"""Derive from the template which events and schedules wake which functions: `shared/registry.json`.

python -m local.template.registry            writes it
python -m local.template.registry --check    fails when it is stale
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.template.errors import TemplateError
from local.template.placement import Placement
from local.template.resolve import resolve
from local.template.translate import translate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.template.resolve import ResolvedTemplate, Resource

ROOT: Final = Path(__file__).parents[2]
PLATFORM: Final = "platform-"  # the ids of Nightshift's own functions begin so


def registry_of(path: Path) -> dict[str, Any]:
    """Return the registry of the SAM template at `path`.

    Raises:
        TemplateError: the template cannot be expanded, or a rule names a function's events by more than their names.
    """
    return registry_in(resolve(translate(path), {}, Placement(), stand_in="unknown"))


def registry_in(template: ResolvedTemplate) -> dict[str, Any]:
    """Return the registry of a resolved template; raise TemplateError as `registry_of` does."""
    inboxes = {
        mapping.properties["EventSourceArn"]: function_id(template, mapping.properties["FunctionName"])
        for mapping in template.of_type("AWS::Lambda::EventSourceMapping")
    }
    events, schedules = _events(template, inboxes), _schedules(template, inboxes)
    machines = {
        function_id(template, machine.identity.attributes["Name"])
        for machine in template.of_type("AWS::StepFunctions::StateMachine")
    }
    ids = {function_id(template, function.identity.ref) for function in template.of_type("AWS::Lambda::Function")}
    functions = {
        each: {
            "kind": "workflow" if each in machines else "platform" if each.startswith(PLATFORM) else "task",
            "events": sorted(events.get(each, ())),
            "schedule": schedules.get(each),
        }
        for each in sorted(ids)
    }
    return {"functions": functions}


def function_id(template: ResolvedTemplate, name: str) -> str:
    """Return the id of a function (or of its machine) from its physical name or ARN."""
    return name.rpartition(":")[2].removeprefix(f"{template.placement.stack_name}_")


def as_text(registry: Mapping[str, Any]) -> str:
    """Return the registry as the file holds it."""
    return json.dumps(registry, indent=2, sort_keys=True) + "\n"


def _events(template: ResolvedTemplate, inboxes: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the names of the events that rules of the stack's own bus put into each function's inbox."""
    buses = {bus.identity.ref for bus in template.of_type("AWS::Events::EventBus")}
    events: dict[str, set[str]] = {}
    for rule in template.of_type("AWS::Events::Rule"):
        if rule.properties.get("EventBusName") not in buses:
            continue  # the default bus carries AWS's events: they tell of runs, they do not start any
        for target in rule.properties.get("Targets", []):
            function = inboxes.get(target["Arn"], PLATFORM)
            if not function.startswith(PLATFORM):  # the recorder takes every event, and reacts to none
                events.setdefault(function, set()).update(_names(rule))
    return events


def _names(rule: Resource) -> list[str]:
    names = rule.properties.get("EventPattern", {}).get("detail-type", [])
    if not names or not all(isinstance(name, str) for name in names):
        raise TemplateError(f"{rule.logical_id}: a rule that wakes a function lists its events' exact names")
    return list(names)


def _schedules(template: ResolvedTemplate, inboxes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    schedules: dict[str, dict[str, str]] = {}
    for schedule in template.of_type("AWS::Scheduler::Schedule"):
        target = schedule.properties["Target"]["Arn"]
        if target not in inboxes:
            continue
        if inboxes[target] in schedules:
            raise TemplateError(f"{schedule.logical_id}: {inboxes[target]} has a schedule already")
        schedules[inboxes[target]] = {
            "name": schedule.identity.ref,
            "expression": schedule.properties["ScheduleExpression"],
            "time_zone": schedule.properties.get("ScheduleExpressionTimezone", "UTC"),
        }
    return schedules


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the registry, or check that it is what the template says; the exit code is 0 when it now is."""
    parser = argparse.ArgumentParser(prog="python -m local.template.registry", description=__doc__)
    parser.add_argument("--template", type=Path, default=ROOT / "template.yaml")
    parser.add_argument("--output", type=Path, default=ROOT / "shared" / "registry.json")
    parser.add_argument("--check", action="store_true", help="fail when the file is stale instead of writing it")
    options = parser.parse_args(arguments)
    try:
        text = as_text(registry_of(options.template))
    except TemplateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not options.check:
        options.output.write_text(text, encoding="utf-8")
        return 0
    if options.output.is_file() and options.output.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write(f"{options.output} is stale: run `make registry`\n")
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
