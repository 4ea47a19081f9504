"""Put values where a translated template has intrinsics, as CloudFormation does when it creates a stack."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.template.errors import TemplateError
from local.template.identities import Identity, identify, naming_properties
from local.template.order import PLACEHOLDER, deployment_order
from local.template.parameters import parameter_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.template.placement import Placement


@dataclass(frozen=True)
class Resource:
    """One resource that the stack will have: every property a plain value."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    identity: Identity


@dataclass(frozen=True)
class ResolvedTemplate:
    """A template without intrinsics. `resources` holds each after those that it needs."""

    placement: Placement
    parameters: Mapping[str, str | list[str]]
    resources: Mapping[str, Resource]
    outputs: Mapping[str, str]

    def of_type(self, kind: str) -> list[Resource]:
        """Return the resources of one type."""
        return [resource for resource in self.resources.values() if resource.type == kind]


def resolve(
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    placement: Placement,
    *,
    stand_in: str | None = None,
) -> ResolvedTemplate:
    """Resolve a translated template.

    Args:
        template: plain CloudFormation.
        parameters: values that override the template's defaults.
        placement: where the stack is.
        stand_in: the value of parameters that have none, for work that does not depend on them.

    Raises:
        TemplateError: an intrinsic, a name or a resource type is unknown, a parameter has no value, or resources need
            each other in a circle.
    """
    values = parameter_values(template.get("Parameters", {}), parameters, stand_in=stand_in)
    resolver = _Resolver(template, values, placement)
    chosen = {
        logical_id: resource
        for logical_id, resource in template.get("Resources", {}).items()
        if resolver.exists(resource, logical_id)
    }
    resources = {logical_id: resolver.resource(logical_id) for logical_id in deployment_order(chosen)}
    outputs = {
        name: resolver.value(output["Value"], f"Outputs.{name}")
        for name, output in template.get("Outputs", {}).items()
        if resolver.exists(output, name)
    }
    return ResolvedTemplate(placement, values, resources, outputs)


class _NoValue:
    """`AWS::NoValue`: what it stands for is taken out of its list or mapping."""


_NO_VALUE = _NoValue()


@dataclass
class _Resolver:
    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    placement: Placement
    _identities: dict[str, Identity] = field(default_factory=dict)
    _conditions: dict[str, bool] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)  # what is being resolved now, outermost first

    def resource(self, logical_id: str) -> Resource:
        declared = self.template["Resources"][logical_id]
        properties = self.value(declared.get("Properties", {}), f"Resources.{logical_id}")
        return Resource(logical_id, declared["Type"], properties, self.identity(logical_id))

    def identity(self, logical_id: str) -> Identity:
        """Return a resource's identity, resolving no more of it than names it."""
        if logical_id not in self._identities:
            declared = self.template["Resources"][logical_id]
            if not self.exists(declared, logical_id):
                raise TemplateError(f"{logical_id} is referred to, but its condition {declared['Condition']} is false")
            properties = declared.get("Properties", {})
            naming = {name: properties[name] for name in naming_properties(declared["Type"]) if name in properties}
            place = f"Resources.{logical_id}"
            named = self._guarded(place, lambda: self.value({**naming}, place))
            self._identities[logical_id] = identify(declared["Type"], logical_id, named, self.placement)
        return self._identities[logical_id]

    def exists(self, declared: Mapping[str, Any], logical_id: str) -> bool:
        return "Condition" not in declared or self.condition(declared["Condition"], logical_id)

    def condition(self, name: str, where: str) -> bool:
        if name not in self._conditions:
            declared = self.template.get("Conditions", {})
            if name not in declared:
                raise TemplateError(f"{where}: there is no condition {name}")
            truth = self._guarded(f"Conditions.{name}", lambda: self.truth(declared[name], f"Conditions.{name}"))
            self._conditions[name] = truth
        return self._conditions[name]

    def truth(self, value: Any, where: str) -> bool:
        """Return what an expression of the Conditions section comes to."""
        name, argument = _single(value) or ("", "")
        match name:
            case "Condition":
                return self.condition(argument, where)
            case "Fn::Equals":
                left, right = (self.value(each, where) for each in argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self.truth(argument[0], where)
            case "Fn::And":
                return all(self.truth(each, where) for each in argument)
            case "Fn::Or":
                return any(self.truth(each, where) for each in argument)
        raise TemplateError(f"{where}: not a condition: {value!r}")

    def value(self, value: Any, where: str) -> Any:
        """Return `value` with every intrinsic in it resolved; `where` is its place, for messages."""
        if isinstance(value, list):
            items = [self.value(each, f"{where}[{number}]") for number, each in enumerate(value)]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        name, argument = _single(value) or ("", None)
        if name == "Ref" or name.startswith("Fn::"):
            return self._intrinsic(name, argument, where)
        values = {key: self.value(inner, f"{where}.{key}") for key, inner in value.items()}
        return {key: inner for key, inner in values.items() if inner is not _NO_VALUE}

    def _intrinsic(self, name: str, argument: Any, where: str) -> Any:
        functions: dict[str, Callable[[Any, str], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::If": self._if,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
        }
        if name not in functions:
            raise TemplateError(f"{where}: unknown intrinsic {name}")
        try:
            return functions[name](argument, where)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            if isinstance(error, TemplateError):
                raise
            raise TemplateError(f"{where}: malformed {name}: {argument!r}") from None

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.placement.pseudo_parameters:
            return self.placement.pseudo_parameters[name]
        if name in self.parameters:
            return self.parameters[name]
        if name in self.template["Resources"]:
            return self.identity(name).ref
        raise TemplateError(f"{where}: Ref to {name}, which is neither a parameter nor a resource")

    def _get_att(self, argument: str | list[str], where: str) -> str:
        logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
        if logical_id not in self.template["Resources"]:
            raise TemplateError(f"{where}: GetAtt of {logical_id}, which is not a resource")
        attributes = self.identity(logical_id).attributes
        if attribute not in attributes:
            raise TemplateError(f"{where}: {logical_id} has no attribute {attribute}")
        return attributes[attribute]

    def _sub(self, argument: str | list[Any], where: str) -> str:
        text, variables = (argument, {}) if isinstance(argument, str) else argument
        given = {name: self.value(value, where) for name, value in variables.items()}

        def replaced(name: str, attribute: str) -> str:
            if attribute:
                return str(self._get_att([name, attribute[1:]], where))
            return str(given[name] if name in given else self._ref(name, where))

        filled = PLACEHOLDER.sub(lambda match: replaced(match[1], match[2]), text)
        return filled.replace("${!", "${")  # `${!Literal}` is how a template writes `${Literal}`

    def _join(self, argument: list[Any], where: str) -> str:
        delimiter, items = argument
        return str(delimiter).join(str(each) for each in self._list(items, where))

    def _if(self, argument: list[Any], where: str) -> Any:
        name, when_true, when_false = argument
        return self.value(when_true if self.condition(name, where) else when_false, where)

    def _select(self, argument: list[Any], where: str) -> Any:
        index, items = argument
        chosen = self._list(items, where)
        number = int(self.value(index, where))
        if not 0 <= number < len(chosen):
            raise TemplateError(f"{where}: Fn::Select takes item {number} of {len(chosen)}")
        return chosen[number]

    def _split(self, argument: list[Any], where: str) -> list[str]:
        delimiter, text = argument
        return str(self.value(text, where)).split(delimiter)

    def _list(self, items: Any, where: str) -> list[Any]:
        resolved = self.value(items, where)
        if not isinstance(resolved, list):
            raise TemplateError(f"{where}: expected a list, got {resolved!r}")
        return resolved

    def _guarded(self, place: str, work: Callable[[], Any]) -> Any:
        """Do `work` for `place`, unless it is being done already: then its name would depend on itself."""
        if place in self._open:
            raise TemplateError(f"a circle of references: {' -> '.join([*self._open, place])}")
        self._open.append(place)
        try:
            return work()
        finally:
            self._open.pop()


def _single(value: Any) -> tuple[str, Any] | None:
    """Return the only key and value of a mapping that has just one, as an intrinsic does."""
    return next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else None
