"""Delete what is past its retention, over as many calls of a task as it takes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from shared import database
from shared.engine import Continue
from shared.observability import count_records_affected, logger

if TYPE_CHECKING:
    from shared.engine import Run

# More than a chunk may take with its waits, so that a call ends by itself and not by its deadline.
MARGIN: Final = timedelta(seconds=15)


class CleanupResult(BaseModel):
    """How many rows went. Those of an attempt that failed half-way are in its log, not here."""

    deleted: int


def delete_expired(expired: database.Expired, run: Run) -> CleanupResult:
    """Delete the expired rows; the count so far is the cursor.

    Repeating it is safe: the cutoff is the event's, and what is gone is not found again.

    Raises:
        Continue: the call's deadline is near and there may be more.
    """
    deleted: int = run.cursor or 0
    for chunk in database.delete_in_chunks(expired):
        deleted += chunk.deleted
        count_records_affected(chunk.deleted)
        if chunk.locked:
            logger().warning("rows are locked and stay until the next time", extra={"rows": chunk.locked})
        if run.remaining() < MARGIN:
            raise Continue(cursor=deleted)
    logger().info("deleted what was past its retention", extra={"table": expired.table.name, "deleted": deleted})
    return CleanupResult(deleted=deleted)
