"""Take events onto EventBridge's buses as AWS does, and deliver each to the rules it matches."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.events import models as events
from moto.events.exceptions import ValidationException

from local.aws.event_delivery import check_target, compact_json, deliver

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = DEFAULT_ACCOUNT_ID
REGION = "us-east-1"

MAXIMUM_ENTRIES = 10
MAXIMUM_BYTES = 1_048_576  # of all entries of a call together
MAXIMUM_DETAIL_TYPE = 128

_original_put_targets = events.EventsBackend.put_targets


class EntryError(ValueError):
    """One entry of a PutEvents call is refused; the others go on."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@cache
def install() -> None:
    """Replace moto's way from PutEvents to the targets.

    moto 5.2.5: every rule deep-copies and parses every event anew; a target that it does not know,
    or a fair queue's group id, raises out of PutEvents and the rules behind it get nothing; rules
    that are disabled, or have a schedule instead of a pattern, are served all the same; the
    message lacks `account`; sizes and lengths have no limit.
    """
    events.EventsBackend.put_events = _put_events
    events.EventsBackend.put_targets = _put_targets
    events.Rule.send_to_targets = _send_to_targets


def publish(event: Mapping[str, Any]) -> None:
    """Deliver a whole event, with all of EventBridge's fields, from the default bus."""
    _publish(events.events_backends[event["account"]][event["region"]], "default", event)


def publish_service_event(source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
    """Put an event on the default bus as an AWS service does; `source` may begin with `aws.`."""
    event = _event(ACCOUNT, REGION, {"Source": source, "DetailType": detail_type}, detail)
    publish(event | {"resources": resources})


def _put_events(self: Any, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Stand in for moto's: an answer for each entry, in order, an EventId or an error."""
    if not 1 <= len(entries) <= MAXIMUM_ENTRIES:
        raise ValidationException(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to "
            f"satisfy constraint: Member must have length between 1 and {MAXIMUM_ENTRIES}"
        )
    if sum(map(_size, entries)) > MAXIMUM_BYTES:
        raise ValidationException("Total size of the entries in the request is over the limit.")
    answers = []
    for entry in entries:
        try:
            answers.append({"EventId": _put_event(self, entry)})
        except EntryError as error:
            answers.append({"ErrorCode": error.code, "ErrorMessage": str(error)})
    return answers


def _put_event(backend: Any, entry: Mapping[str, Any]) -> str:
    bus_name = (entry.get("EventBusName") or "default").split("/")[-1]
    if bus_name not in backend.event_buses:
        # AWS may drop such an event in silence; here it is a mistake in the stack.
        raise EntryError("ResourceNotFoundException", f"Event bus {bus_name} does not exist.")
    _check_names(entry)
    event = _event(backend.account_id, backend.region_name, entry, _detail(entry))
    _publish(backend, bus_name, event)
    return str(event["id"])


def _check_names(entry: Mapping[str, Any]) -> None:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            raise EntryError(
                "InvalidArgument",
                f"Parameter {name} is not valid. Reason: {name} is a required argument.",
            )
    if len(entry["DetailType"]) > MAXIMUM_DETAIL_TYPE:
        raise EntryError(
            "InvalidArgument",
            f"Parameter DetailType is not valid. Reason: DetailType is longer than {MAXIMUM_DETAIL_TYPE} characters.",
        )
    if entry["Source"].startswith("aws."):
        raise EntryError("NotAuthorizedForSourceException", "Not authorized for the source.")


def _detail(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        detail = json.loads(entry["Detail"], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EntryError("MalformedDetail", "Detail is malformed.") from error
    if not isinstance(detail, dict):
        raise EntryError("MalformedDetail", "Detail is malformed.")
    return detail


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _event(account: str, region: str, entry: Mapping[str, Any], detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": _time(entry.get("Time")),
        "region": region,
        "resources": entry.get("Resources") or [],
        "detail": detail,
    }


def _time(given: float | str | None) -> str:
    """Return a time in whole seconds of UTC; JSON carries it as epoch seconds or ISO text."""
    if given is None:
        moment = datetime.now(UTC)
    elif isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError as error:
            raise EntryError("InvalidArgument", "Parameter Time is not valid.") from error
    else:
        moment = datetime.fromtimestamp(given, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _publish(backend: Any, bus_name: str, event: Mapping[str, Any]) -> None:
    text = compact_json(event)
    fields = events.EventPattern._flatten_dict(event)  # noqa: SLF001  # once for all rules
    for rule in list(backend.event_buses[bus_name].rules.values()):
        if _matches(rule, fields):
            deliver(rule, event, text)


def _matches(rule: Any, fields: Mapping[str, Any]) -> bool:
    pattern = rule.event_pattern
    if rule.state == "DISABLED" or not pattern.get_pattern():
        return False
    return bool(pattern._does_event_match(fields, pattern.get_pattern()))  # noqa: SLF001  # moto's


def _send_to_targets(self: Any, original_event: dict[str, Any], **_: Any) -> None:
    """Stand in for moto's, which its replays and its S3 notifications call."""
    event = {key: value for key, value in original_event.items() if key != "ingestion-time"}
    event["time"] = _time(event.get("time"))
    if _matches(self, events.EventPattern._flatten_dict(event)):  # noqa: SLF001  # moto's
        deliver(self, event, compact_json(event))


def _put_targets(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
    """Refuse what could not be delivered when it is set up, not when an event comes."""
    if not name.startswith("Events-Archive-"):  # moto's own rule, whose target is no resource
        for target in targets:
            check_target(target)
    _original_put_targets(self, name, event_bus_arn, targets)


def _size(entry: Mapping[str, Any]) -> int:
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail")]
    texts += entry.get("Resources") or []
    return (14 if entry.get("Time") else 0) + sum(len(text.encode()) for text in texts if text)
