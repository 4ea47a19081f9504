"""Record what came over the bus, and the ends of executions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from shared.engine.dead_letters import put_aside
from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError
from shared.engine.executions import read_status_change, record_end
from shared.engine.failure import describe
from shared.engine.inbox import Message, process
from shared.engine.recorder import record
from shared.observability import logger, measured

if TYPE_CHECKING:
    from shared.engine.run import LambdaContext

FUNCTION: Final = "platform-ledger"
STEP_FUNCTIONS: Final = "aws.states"  # a source that no application may use


def receive(message: Message) -> None:
    """Record what `message` tells of. Repeating it is safe: an event is written once, and only an open run can end."""
    try:
        with measured(FUNCTION):
            if _source(message.body) == STEP_FUNCTIONS:
                record_end(read_status_change(message.body))
            else:
                record_event(message.body)
    except InvalidMessageError as error:
        logger().exception("message refused")
        put_aside(message.body, function=FUNCTION, run="-", error=describe(error))


def record_event(body: str) -> None:
    """Record an event of the bus; what is no event of Nightshift's form is in the event log, and its receivers tell."""
    try:
        envelope = Envelope.parse(body)
        is_news = record(envelope)
    except InvalidMessageError as error:
        logger().warning("an event without Nightshift's form", extra={"problem": str(error)})
        return
    if not is_news:
        logger().info("the event was recorded before", extra={"event_id": envelope.event_id})


def _source(body: str) -> object:
    try:
        return json.loads(body)["source"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InvalidMessageError("neither an event nor an execution's end") from None


def handler(event: Any, _: LambdaContext) -> dict[str, Any]:
    """Answer Lambda: an SQS batch in, the messages that are to be delivered again out."""
    return process(event, receive)
