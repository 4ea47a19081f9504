"""Put aside what a function could not do, with the reason, in a form that can simply be sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from shared import aws
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.engine.row import Row

_REASON_LIMIT: Final = 1_000  # characters of a reason that travel with a dead letter


def put_aside(body: str, *, function: str, run: str, error: Mapping[str, object]) -> None:
    """Put `body` into this function's dead-letter queue, with the reason in its attributes."""
    reason = {"Function": function, "RunId": run, "ErrorType": error["type"], "ErrorMessage": error["message"]}
    aws.client("sqs").send_message(
        QueueUrl=settings().dead_letters_url,
        MessageBody=body,
        MessageAttributes={
            name: {"DataType": "String", "StringValue": str(value)[:_REASON_LIMIT] or "-"}
            for name, value in reason.items()
        },
    )


def put_run_aside(row: Row, error: Mapping[str, object]) -> None:
    """Put the event of a failed run into the dead-letter queue, as the message that asks for its next generation.

    Whoever moves it back into the inbox, SQS's own redrive included, starts that generation, and moved back twice it is
    one run. The event as it came would be dropped there: its run is over.
    """
    put_aside(row.asked_for_again().as_json(), function=row.function, run=str(row.id), error=error)
