"""What a request needs to be allowed: IAM's actions on the resources that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.aws.access.needs import dynamodb, messages, named, paths, s3
from local.aws.access.needs.need import UnknownOperationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import ApiCall
    from local.aws.access.needs.need import Need, Rule

__all__ = ["UnknownOperationError", "needs_of"]

_OPERATIONS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "dynamodb": dynamodb.OPERATIONS,
    **messages.OPERATIONS,
    **named.OPERATIONS,
}


def needs_of(call: ApiCall) -> list[Need]:
    """Return what a call must be allowed, all of it; nothing for what AWS allows everybody.

    Raises:
        UnknownOperationError: it is not known here what the operation needs.
    """
    if call.protocol == "rest-xml":
        return s3.needs_of(call)
    if call.protocol == "rest-json":
        return paths.needs_of(call)
    rule = _OPERATIONS.get(call.service, {}).get(call.operation)
    if rule is None:
        raise UnknownOperationError(f"{call.service}:{call.operation}")
    return rule(call)
