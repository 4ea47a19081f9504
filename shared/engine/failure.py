"""What happens once a run has failed: the message goes to the dead-letter queue, with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from shared.engine.inbox import send_to_dead_letters
from shared.engine.ledger import ledger
from shared.observability import logger

if TYPE_CHECKING:
    from shared.engine.ledger import Row

_MESSAGE_LIMIT: Final = 4_000  # characters of an error's message that the ledger keeps


def describe(error: BaseException) -> dict[str, Any]:
    """Return an error as the ledger holds it: its class's name and its message."""
    message = str(error)[:_MESSAGE_LIMIT].encode(errors="replace").decode()  # what is stored must be Unicode
    return {"type": type(error).__name__, "message": message}


def fail(row: Row, body: str, error: dict[str, Any], *, holder: str | None = None) -> None:
    """End `row`'s run as failed and tell it; leave it alone if it ended otherwise, or `holder` has it no longer."""
    if ledger().fail(row.id, error=error, holder=holder):
        tell_failure(replace(row, error=error), body)


def tell_failure(row: Row, body: str) -> None:
    """Put the message of a failed run aside, once its ledger row says `failed`.

    Repeating it is safe: a worker that dies between the two writes leaves `pending`, the next delivery comes here
    again, and a second copy in the dead-letter queue carries the same run id.
    """
    error = row.error or {"type": "UnknownError", "message": ""}
    send_to_dead_letters(body, function=row.function, run=str(row.id), error=error)
    ledger().failure_handled(row.id)
    logger().error("run failed", extra={"function": row.function, "run_id": str(row.id), "error": error})
