"""What the template's roles must be good for before the stack starts, and the keys that they give its functions.

AWS checks the same when it creates a function, a mapping, a state machine or a schedule: a deployment fails then, and
so does the local stack's start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.aws.access import roles
from local.aws.access.authorize import check_role
from local.aws.access.errors import AccessDeniedError, RoleError
from local.aws.access.needs.need import Need

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.credentials import Credentials
    from local.template.deployment import Deployment

LAMBDA: Final = "lambda.amazonaws.com"
SCHEDULER: Final = "scheduler.amazonaws.com"
STATES: Final = "states.amazonaws.com"
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
_POLLING: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


def open_sessions(deployment: Deployment) -> Mapping[str, Credentials]:
    """Have STS open a session of each function's role, named as Lambda names it; all of its workers share the session.

    Raises:
        RoleError: Lambda may not assume a function's role.
    """
    sessions = {}
    for function in deployment.functions:
        try:
            sessions[function.name] = roles.assume(function.role_arn, LAMBDA, function.name)
        except RoleError as error:
            raise RoleError(f"{function.name}: {error}") from None
    return sessions


def check_roles(deployment: Deployment) -> None:
    """Raise AccessDeniedError where a machine's or a schedule's role does not trust it, or a mapping may not poll."""
    users = [(machine.name, machine.role_arn, STATES) for machine in deployment.state_machines]
    users += [(schedule.name, schedule.role_arn, SCHEDULER) for schedule in deployment.schedules]
    for name, role_arn, service in users:
        try:
            roles.check_trust(role_arn, service)
        except RoleError as error:
            raise RoleError(f"{name}: {error}") from None
    polled_by = {function.name: function.role_arn for function in deployment.functions}
    for mapping in deployment.event_source_mappings:
        for operation in _POLLING:
            try:
                check_role(polled_by[mapping.function_name], LAMBDA, Need(f"sqs:{operation}", mapping.queue_arn))
            except AccessDeniedError as error:
                reason = f"the function's role does not have permissions to call {operation} on SQS"
                raise AccessDeniedError(f"{mapping.function_name}: {reason}: {error}") from None


def check_invoke(role_arn: str, function_arn: str) -> None:
    """Raise AccessDeniedError when a state machine's role may not call a function."""
    check_role(role_arn, STATES, Need("lambda:InvokeFunction", function_arn))
