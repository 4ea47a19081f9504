"""Bring one event to the targets of one EventBridge rule; what fails goes to dead letters."""

from __future__ import annotations

import json
import logging
import re
import time
from threading import Lock
from typing import TYPE_CHECKING, Any

from moto.events.exceptions import ValidationException
from moto.events.models import events_backends
from moto.logs.models import logs_backends

from local.aws.access.authorize import (
    EVENTS,
    check_events_on_log_group,
    check_service_on_queue,
)
from local.aws.access.errors import AccessDeniedError
from local.aws.queues import find_queue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.queues import LocalQueue

_log = logging.getLogger(__name__)
_logs_lock = Lock()  # moto 5.2.5: a log stream "would need a lock" to be thread safe

_PATH = re.compile(r"\$(\.[\w-]+)*")
_ARCHIVE_RULE = "Events-Archive-"
_BY_EVENTBRIDGE = "prod.vhs.events.aws.internal"


def check_target(target: Mapping[str, Any]) -> None:
    """Raise a ValidationException for a target that could not be served as AWS would."""
    name = target.get("Id")
    if _service_of(target["Arn"]) not in {"sqs", "logs"}:
        raise ValidationException(
            f"Target {name}: {target['Arn']} is not a target of the local stack, which delivers to "
            "SQS queues and CloudWatch log groups."
        )
    if target.get("InputTransformer"):
        raise ValidationException(f"Target {name}: the local stack has no InputTransformer.")
    if target.get("Input") and target.get("InputPath"):
        raise ValidationException(f"Target {name}: only one of Input and InputPath may be set.")
    if not _PATH.fullmatch(target.get("InputPath") or "$"):
        raise ValidationException(
            f"Target {name}: the local stack reads InputPaths like $.detail.data, not {target['InputPath']}."
        )
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters and _service_of(dead_letters) != "sqs":
        raise ValidationException(f"Target {name}: {dead_letters} is not a queue.")


def deliver(rule: Any, event: Mapping[str, Any], text: str) -> None:
    """Send an event, and `text` that is its JSON, to each target; no target stops another."""
    if rule.managed_by == _BY_EVENTBRIDGE:
        _archive(rule, event)
        return
    for target in list(rule.targets):
        try:
            _send(rule, target, event, text)
        except Exception as error:  # noqa: BLE001  # whatever it is, the other targets are served
            _bury(rule, target, text, error)


def _send(rule: Any, target: Mapping[str, Any], event: Mapping[str, Any], text: str) -> None:
    message = _input(target, event, text)
    if _service_of(target["Arn"]) == "logs":
        _write_log(rule, target["Arn"], message)
        return
    _queue_for(rule, target["Arn"]).send(message, group_id=_group_id(target, event))


def _queue_for(rule: Any, arn: str) -> LocalQueue:
    """Return the queue of that ARN if its policy lets the rule send to it."""
    queue = find_queue(arn)
    check_service_on_queue(EVENTS, queue, rule.arn)
    return queue


def _input(target: Mapping[str, Any], event: Mapping[str, Any], text: str) -> str:
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath") in {None, "", "$"}:
        return text
    return compact_json(_value_at(target["InputPath"], event))


def _group_id(target: Mapping[str, Any], event: Mapping[str, Any]) -> str | None:
    """Return a fair queue's group: a constant, or the value at a path.

    moto 5.2.5: the path is not evaluated, and a group id on a standard queue makes PutEvents
    raise KeyError. An event without the value is delivered without a group.
    """
    group: str | None = (target.get("SqsParameters") or {}).get("MessageGroupId")
    if not group or not _PATH.fullmatch(group):
        return group or None
    try:
        value = _value_at(group, event)
    except LookupError:
        return None
    return value if isinstance(value, str) else compact_json(value)


def _value_at(path: str, event: Mapping[str, Any]) -> Any:
    value: Any = event
    for key in path.split(".")[1:]:
        if not isinstance(value, dict) or key not in value:
            raise LookupError(f"the event has no {path}")
        value = value[key]
    return value


def _write_log(rule: Any, arn: str, message: str) -> None:
    _, _, _, region, account, _, group = arn.removesuffix(":*").split(":", 6)
    backend = logs_backends[account][region]
    check_events_on_log_group(f"{arn.removesuffix(':*')}:log-stream:{rule.name}", rule.arn)
    with _logs_lock:
        backend.ensure_log_stream(group, rule.name)
        entry = {"timestamp": int(time.time() * 1000), "message": message}
        backend.put_log_events(group, rule.name, [entry])


def _archive(rule: Any, event: Mapping[str, Any]) -> None:
    backend = events_backends[rule.account_id][rule.region_name]
    archive = backend.archives.get(rule.name.removeprefix(_ARCHIVE_RULE))
    if archive is not None:
        archive.events.append(dict(event))


def _bury(rule: Any, target: Mapping[str, Any], text: str, error: Exception) -> None:
    """Put an event that did not arrive where the target says; the attributes are AWS's."""
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    reason = str(error) or type(error).__name__
    if dead_letters is None:
        _log.error("rule %s lost an event for %s: %s", rule.name, target["Arn"], reason)
        return
    words = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": _error_code(error),
        "ERROR_MESSAGE": reason,
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in words.items()}
    try:
        _queue_for(rule, dead_letters).send(text, message_attributes=attributes)
    except Exception:  # noqa: BLE001  # nothing is left to turn to
        _log.exception("rule %s lost an event for %s: %s", rule.name, target["Arn"], reason)


def _error_code(error: Exception) -> str:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
    if isinstance(error, AccessDeniedError):
        return "NO_PERMISSIONS"
    return "NO_RESOURCE" if isinstance(error, LookupError) else "SDK_CLIENT_ERROR"


def _service_of(arn: str) -> str:
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def compact_json(value: Any) -> str:
    """Return JSON as AWS's services send it: no spaces, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
