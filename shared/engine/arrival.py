"""From an inbox message to the run that it asks for, or to the refusal of a message that asks for none."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from shared import clock
from shared.engine.dead_letters import put_aside
from shared.engine.envelope import EVENT_NAME_LIMIT, Envelope
from shared.engine.errors import InvalidMessageError, describe_invalid
from shared.engine.failure import describe, error_of, tell
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.payloads import full, slim
from shared.engine.row import Row
from shared.events.event import Event
from shared.observability import logger

if TYPE_CHECKING:
    from shared.engine.inbox import Message
    from shared.engine.row import Status

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


def arrive(function: str, trigger: type[Event], message: Message) -> Arrival:
    """Return what `message` asks of `function`.

    Raises:
        InvalidMessageError: it is no event, not one that the function reacts to, or too large beside its data.
    """
    envelope = Envelope.parse(message.body)
    if envelope.name != trigger.event_name:
        raise InvalidMessageError(f"{function} reacts to {trigger.event_name}, not to {envelope.name}")
    run = RunId.of(function, envelope.event_id, envelope.detail.metadata.generation)
    return Arrival(message, slim(envelope), run, function)


def data_of(envelope: Envelope, trigger: type[EventType]) -> EventType:
    """Return the event's data as its model; raise InvalidMessageError with what is wrong."""
    try:
        return trigger.model_validate(full(envelope).detail.data)
    except ValidationError as error:
        raise InvalidMessageError(f"{envelope.name}: {describe_invalid(error)}") from None


def refuse_message(function: str, message: Message, error: InvalidMessageError) -> None:
    """Put a message aside, record a run that failed before it began, under the message's own id, and have it told.

    The message comes first: what has a row can be told by anybody, without the message.
    """
    event_id = f"sqs:{message.id}"
    row = ledger().get(RunId.of(function, event_id))
    if row is None:
        row = _refused_row(function, event_id, message.body, error)
        put_aside(message.body, function=function, run=str(row.id), error=error_of(row))
        ledger().create(row)
        logger().error("message refused", extra={"function": function, "run_id": str(row.id), "error": row.error})
    if row.failure == "pending":
        tell(row)


def _refused_row(function: str, event_id: str, body: str, error: InvalidMessageError) -> Row:
    now = clock.isoformat(clock.now())
    return Row(
        id=RunId.of(function, event_id),
        function=function,
        status="failed",
        event_id=event_id,
        event_name=_name_in(body),
        accepted_at=now,
        ended_at=now,
        error=describe(error),
        failure="pending",
    )


def _name_in(body: str) -> str:
    """Return the event's name as far as it can be told from a bad message."""
    try:
        name = json.loads(body)["detail-type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return _UNKNOWN
    return name[:EVENT_NAME_LIMIT] if name and isinstance(name, str) else _UNKNOWN
