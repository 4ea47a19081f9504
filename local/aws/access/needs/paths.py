"""What the operations need that a request names by its method and path: Scheduler, Lambda, SES v2, X-Ray."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from local.aws.access.needs.need import EVERYTHING, Need, UnknownOperationError
from local.aws.access.needs.senders import sender_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.aws.access.calls import ApiCall

    PathRule = Callable[[ApiCall, str], list[Need]]  # with what the path's group holds


def _schedule(operation: str) -> PathRule:
    def rule(call: ApiCall, name: str) -> list[Need]:
        group = call.query.get("groupName") or call.parameters.get("GroupName") or "default"
        needs = [Need(f"scheduler:{operation}", call.arn(f"schedule/{group}/{name}"))]
        target = call.parameters.get("Target")
        if isinstance(target, dict) and target.get("RoleArn"):
            needs.append(Need("iam:PassRole", str(target["RoleArn"])))
        return needs

    return rule


def _schedule_group(operation: str) -> PathRule:
    return lambda call, name: [Need(f"scheduler:{operation}", call.arn(f"schedule-group/{name}"))]


def _invoke(call: ApiCall, name: str) -> list[Need]:
    function = name if name.startswith("arn:") else call.arn(f"function:{name.rpartition('function:')[2]}")
    qualifier = call.query.get("Qualifier")
    return [Need("lambda:InvokeFunction", f"{function}:{qualifier}" if qualifier else function)]


def _send_email(call: ApiCall, _: str) -> list[Need]:
    return [Need("ses:SendEmail", call.arn(f"identity/{sender_of(call)}"))]


def _everything(action: str) -> PathRule:
    return lambda _call, _name: [Need(action, EVERYTHING)]


_ROUTES: Final[tuple[tuple[str, str, str, PathRule], ...]] = (
    ("scheduler", "GET", r"/schedules", _everything("scheduler:ListSchedules")),
    ("scheduler", "GET", r"/schedules/([^/]+)", _schedule("GetSchedule")),
    ("scheduler", "POST", r"/schedules/([^/]+)", _schedule("CreateSchedule")),
    ("scheduler", "PUT", r"/schedules/([^/]+)", _schedule("UpdateSchedule")),
    ("scheduler", "DELETE", r"/schedules/([^/]+)", _schedule("DeleteSchedule")),
    ("scheduler", "GET", r"/schedule-groups", _everything("scheduler:ListScheduleGroups")),
    ("scheduler", "GET", r"/schedule-groups/([^/]+)", _schedule_group("GetScheduleGroup")),
    ("lambda", "POST", r"/2015-03-31/functions/([^/]+)/invocations", _invoke),
    ("ses", "POST", r"/v2/email/outbound-emails", _send_email),
    ("xray", "POST", r"/TraceSegments", _everything("xray:PutTraceSegments")),
    ("xray", "POST", r"/TelemetryRecords", _everything("xray:PutTelemetryRecords")),
)


def needs_of(call: ApiCall) -> list[Need]:
    """Return what the call needs; raises UnknownOperationError, which names method and path."""
    for service, method, path, rule in _ROUTES:
        if (service, method) == (call.service, call.method):
            match = re.fullmatch(path, call.path)
            if match is not None:
                return rule(call, unquote(match[1]) if match.groups() else "")
    raise UnknownOperationError(f"{call.service}:{call.method} {call.path}")
