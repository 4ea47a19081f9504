"""The values of a template's parameters: what was given, else the default, checked as CloudFormation checks them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.template.errors import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping


def parameter_values(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], *, stand_in: str | None = None
) -> dict[str, str | list[str]]:
    """Return every declared parameter's value as Ref gives it: text, or a list of texts for a list type.

    `stand_in` is the value of those that have none, for work that does not depend on them.

    Raises:
        TemplateError: a given parameter is not declared, one has no value, or a value is not allowed.
    """
    unknown = sorted(given.keys() - declared.keys())
    if unknown:
        raise TemplateError(f"parameter {unknown[0]} is not declared in the template")
    return {
        name: stand_in
        if stand_in is not None and name not in given and "Default" not in declaration
        else _value(name, declaration, given.get(name))
        for name, declaration in declared.items()
    }


def _value(name: str, declaration: Mapping[str, Any], given: str | None) -> str | list[str]:
    value = given if given is not None else declaration.get("Default")
    if value is None:
        raise TemplateError(f"parameter {name} has no value and no default")
    kind = declaration.get("Type", "String")
    if kind.startswith("AWS::SSM::Parameter::"):
        raise TemplateError(f"parameter {name}: {kind} would have to be looked up")
    text = str(value)
    is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
    for each in (item.strip() for item in text.split(",")) if is_list else (text,):
        _check(name, declaration, each)
    return [item.strip() for item in text.split(",")] if is_list else text


def _check(name: str, declaration: Mapping[str, Any], value: str) -> None:
    if declaration.get("Type") == "Number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
        raise TemplateError(f"parameter {name}: {value!r} is not a number")
    for bound, sign in (("MinValue", 1), ("MaxValue", -1)):
        if bound in declaration and sign * float(value) < sign * float(declaration[bound]):
            said = declaration.get("ConstraintDescription", f"its {bound} is {declaration[bound]}")
            raise TemplateError(f"parameter {name}: {value!r}: {said}")
    allowed = [str(each) for each in declaration.get("AllowedValues", [value])]
    if value not in allowed:
        raise TemplateError(f"parameter {name}: {value!r} is none of {', '.join(allowed)}")
    pattern = declaration.get("AllowedPattern")
    if pattern and not re.fullmatch(pattern, value):
        said = declaration.get("ConstraintDescription", f"must match {pattern}")
        raise TemplateError(f"parameter {name}: {value!r}: {said}")
