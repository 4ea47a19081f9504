"""Take SQS batches from a function's inbox, one message at a time, and say which were not done.

The answer is Lambda's partial batch response:
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import aws
from shared.engine.errors import NonRetryableError
from shared.observability import log_context, logger
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Message:
    """One message of an inbox, as Lambda hands it over."""

    id: str
    body: str
    receipt_handle: str
    receive_count: int

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Message:
        """Return the message of an SQS record."""
        return cls(
            id=record["messageId"],
            body=record["body"],
            receipt_handle=record["receiptHandle"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
        )


class Redeliver(Exception):  # noqa: N818 (an instruction to the inbox, not a fault)
    """This message is not done: let SQS deliver it again.

    Args:
        seconds: after how long; None leaves it to the queue's own visibility timeout, which outlasts every lease.
    """

    def __init__(self, reason: str, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


def is_batch(event: Any) -> bool:
    """Return whether a Lambda was called with SQS records."""
    return isinstance(event, dict) and isinstance(event.get("Records"), list)


def process(event: Any, receive: Callable[[Message], None]) -> dict[str, Any]:
    """Hand each message of an SQS batch to `receive` and return those that are to be delivered again.

    A message that raises is kept back alone; its neighbours are done.
    """
    if not is_batch(event):
        raise NonRetryableError("the function was called with something that is not an SQS batch")
    kept_back = [message.id for message in map(Message.of, event["Records"]) if not _done(message, receive)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in kept_back]}


def _done(message: Message, receive: Callable[[Message], None]) -> bool:
    with log_context(message_id=message.id, receive_count=message.receive_count):
        try:
            receive(message)
        except Redeliver as later:
            logger().info("message will be delivered again", extra={"reason": str(later), "seconds": later.seconds})
            if later.seconds is not None:
                show_again_in(message, later.seconds)
            return False
        except Exception:  # noqa: BLE001 (an outage of ledger or queue: SQS's own redelivery rides it out)
            logger().exception("message could not be taken")
            return False
    return True


def show_again_in(message: Message, seconds: int) -> None:
    """Let SQS deliver `message` again after `seconds`; where that cannot be said, its visibility timeout stands."""
    try:
        aws.client("sqs").change_message_visibility(
            QueueUrl=settings().inbox_url, ReceiptHandle=message.receipt_handle, VisibilityTimeout=seconds
        )
    except Exception:  # noqa: BLE001 (then it comes back later than asked, no worse)
        logger().exception("visibility could not be changed")
