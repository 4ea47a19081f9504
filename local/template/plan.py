"""Make of a resolved template the AWS calls that provision it, in an order in which each finds what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.template.errors import TemplateError
from local.template.planners import NOT_PROVISIONED, PLANNERS

if TYPE_CHECKING:
    from local.template.call import Call
    from local.template.resolve import ResolvedTemplate


def plan(template: ResolvedTemplate) -> tuple[Call, ...]:
    """Return the calls that create every resource of the template that the local AWS holds.

    Raises:
        TemplateError: a resource's type or one of its properties is not known here.
    """
    calls: list[Call] = []
    for resource in template.resources.values():
        planner = PLANNERS.get(resource.type)
        if planner is not None:
            calls.extend(planner(resource))
        elif resource.type not in NOT_PROVISIONED:
            raise TemplateError(f"{resource.logical_id}: {resource.type} is not known to local/template")
    return tuple(calls)
