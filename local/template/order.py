"""Which resource needs which, and an order in which each comes after what it needs."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

from local.template.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# `${Name}` or `${Name.Attribute}`, but not the literal `${!Name}`
PLACEHOLDER = re.compile(r"\$\{([A-Za-z0-9:]+)((?:\.[A-Za-z0-9.]+)?)\}")


def references(value: Any) -> Iterator[str]:
    """Yield the names that `value` refers to by Ref, Fn::GetAtt and Fn::Sub: resources and parameters alike.

    A malformed intrinsic is passed over: resolving it says what is wrong.
    """
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield name.split(".", 1)[0]
        case {"Fn::Sub": str(text)}:
            yield from (name for name, _ in PLACEHOLDER.findall(text))
        case {"Fn::Sub": [str(text), dict(variables)]}:
            yield from (name for name, _ in PLACEHOLDER.findall(text) if name not in variables)
            yield from references(variables)
        case dict():
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def deployment_order(resources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the resources' logical ids so that each comes after what it refers to or DependsOn.

    Raises:
        TemplateError: they need each other in a circle; the message shows it.
    """
    graph = {}
    for logical_id, resource in resources.items():
        declared = resource.get("DependsOn", [])
        named = {declared} if isinstance(declared, str) else set(declared)
        named |= set(references(resource.get("Properties", {})))
        graph[logical_id] = sorted(named & resources.keys() - {logical_id})
        if logical_id in references(resource.get("Properties", {})):
            raise TemplateError(f"{logical_id} refers to itself")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise TemplateError(f"a circle of dependencies: {' -> '.join(reversed(error.args[1]))}") from None
