"""One thing that a request must be allowed, and how simple operations say theirs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from local.aws.access.calls import ApiCall

EVERYTHING = "*"


class Need(NamedTuple):
    """An action, as IAM names it, on a resource."""

    action: str
    resource: str


Rule = Callable[["ApiCall"], list[Need]]


class UnknownOperationError(LookupError):
    """Nothing is known of what an operation needs; its text is how IAM would call it, as far as can be told."""


def on_everything(action: str) -> Rule:
    """Return the rule of an operation that IAM knows no resources for."""
    return lambda _: [Need(action, EVERYTHING)]


def on_parameter(action: str, parameter: str, resource: str = "{}") -> Rule:
    """Return the rule of an operation on the one resource that a parameter names.

    `resource` is the end of its ARN with the parameter's value at `{}`; a value that is an ARN stands for itself.
    """

    def rule(call: ApiCall) -> list[Need]:
        value = str(call.parameters.get(parameter, ""))
        return [Need(action, value if value.startswith("arn:") else call.arn(resource.format(value)))]

    return rule
