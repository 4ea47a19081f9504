"""Write the ends of executions into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared.engine.errors import InvalidMessageError
from shared.engine.executions import record_end
from shared.engine.failure import describe
from shared.engine.inbox import Message, process, send_to_dead_letters
from shared.observability import logger, measured

if TYPE_CHECKING:
    from shared.engine.run import LambdaContext

FUNCTION: Final = "platform-ledger"


def receive(message: Message) -> None:
    """Record the end that `message` tells of. Repeating it is safe: only an open run's row is written."""
    try:
        with measured(FUNCTION):
            record_end(message.body)
    except InvalidMessageError as error:
        logger().exception("message refused")
        send_to_dead_letters(message.body, function=FUNCTION, run="-", error=describe(error))


def handler(event: Any, _: LambdaContext) -> dict[str, Any]:
    """Answer Lambda: an SQS batch in, the messages that are to be delivered again out."""
    return process(event, receive)
