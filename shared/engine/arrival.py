"""From an inbox message to the run that it asks for, or to the refusal of a message that asks for none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from shared import clock
from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError, describe_invalid
from shared.engine.failure import describe, tell_failure
from shared.engine.identity import RunId
from shared.engine.ledger import VALUE_LIMIT, Row, Status, ledger
from shared.events.event import Event
from shared.observability import logger

if TYPE_CHECKING:
    from shared.engine.inbox import Message

EventType = TypeVar("EventType", bound=Event)

_UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Arrival:
    """A message that holds an event which its function reacts to."""

    message: Message
    envelope: Envelope
    run: RunId
    function: str

    def row(self, status: Status, **more: Any) -> Row:
        """Return the row that the run starts with, its event dated no later than now."""
        now = clock.now()
        return Row(
            id=self.run,
            function=self.function,
            status=status,
            event_id=self.envelope.event_id,
            event_name=self.envelope.name,
            event=self.envelope.not_after(now).as_json(),
            accepted_at=clock.isoformat(now),
            **more,
        )


def arrive(function: str, trigger: type[Event], message: Message) -> Arrival | None:
    """Return what `message` asks of `function`; None when it was refused for what it is."""
    try:
        if (size := len(message.body.encode())) > VALUE_LIMIT:
            raise InvalidMessageError(f"the event has {size} bytes, over the limit of {VALUE_LIMIT}")
        envelope = Envelope.parse(message.body)
        if envelope.name != trigger.event_name:
            raise InvalidMessageError(f"{function} reacts to {trigger.event_name}, not to {envelope.name}")
    except InvalidMessageError as error:
        _refuse(function, message, error)
        return None
    run = RunId.of(function, envelope.event_id, envelope.detail.metadata.generation)
    return Arrival(message, envelope, run, function)


def data_of(envelope: Envelope, trigger: type[EventType]) -> EventType:
    """Return the event's data as its model; raise InvalidMessageError with what is wrong."""
    try:
        return trigger.model_validate(envelope.detail.data)
    except ValidationError as error:
        raise InvalidMessageError(f"{envelope.name}: {describe_invalid(error)}") from None


def _refuse(function: str, message: Message, error: InvalidMessageError) -> None:
    """Record a run that failed before it began, under the message's own id, and put the message aside."""
    event_id = f"sqs:{message.id}"
    now = clock.isoformat(clock.now())
    row = Row(
        id=RunId.of(function, event_id),
        function=function,
        status="failed",
        event_id=event_id,
        event_name=_name_in(message.body),
        event="",
        accepted_at=now,
        ended_at=now,
        error=describe(error),
        failure="pending",
    )
    logger().error("message refused", extra={"function": function, "run_id": str(row.id), "error": row.error})
    before = ledger().create(row)
    if before is None or before.failure == "pending":
        tell_failure(row, message.body)


def _name_in(body: str) -> str:
    """Return the event's name as far as it can be told from a bad message."""
    try:
        name = json.loads(body)["detail-type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return _UNKNOWN
    return name[:200] if name and isinstance(name, str) else _UNKNOWN
