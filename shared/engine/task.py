"""Task: a function whose whole work is one handler call per inbox message.

A message is delivered at least once; the ledger makes of that: one worker at a time, no work after the end, retries
with growing waits, and an end for every run, also when its worker died.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic
from uuid import uuid4

from shared import aws, clock
from shared.engine.arrival import Arrival, EventType, arrive, data_of
from shared.engine.envelope import json_value
from shared.engine.errors import Continue, NonRetryableError
from shared.engine.failure import describe, fail, tell_failure
from shared.engine.inbox import Message, Redeliver, process
from shared.engine.ledger import Row, ledger
from shared.engine.retries import interval_after
from shared.engine.run import Run
from shared.observability import log_context, logger, measured
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from shared.engine.run import LambdaContext

# SQS moves a message aside by itself after this many receives beyond the attempts: one receive records the end of a
# worker that died on its last attempt, one more is to spare.
SPARE_RECEIVES = 2


class Task(Generic[EventType]):
    """One function of one handler.

    Args:
        id: the function's kebab-case id.
        trigger: the event that it reacts to.
        attempts: how often a message is tried in all before its run has failed.
    """

    def __init__(self, id: str, *, trigger: type[EventType], attempts: int = 5) -> None:  # noqa: A002 (the id is one)
        self.id = id
        self.trigger = trigger
        self.attempts = attempts
        self._handle: Callable[[EventType, Run], Any] | None = None

    def __call__(self, handle: Callable[[EventType, Run], Any]) -> Callable[[EventType, Run], Any]:
        """Make `handle` the task's work and return it as it is, so that a test can call it."""
        self._handle = handle
        return handle

    def handler(self, event: Any, context: LambdaContext) -> dict[str, Any]:
        """Answer Lambda: an SQS batch in, the messages that are to be delivered again out."""
        return process(event, lambda message: self._receive(message, context))

    def _receive(self, message: Message, context: LambdaContext) -> None:
        arrival = arrive(self.id, self.trigger, message)
        if arrival is None:
            return
        with log_context(function=self.id, run_id=str(arrival.run), event_id=arrival.envelope.event_id):
            lease = clock.now() + timedelta(milliseconds=context.get_remaining_time_in_millis())
            try:
                row = self._claim(arrival, lease)
                if row is not None:
                    with log_context(attempt=row.attempt):
                        self._work(row, message, context)
            except Redeliver as later:
                logger().info("message will be delivered again", extra={"reason": str(later), "seconds": later.seconds})
                raise

    def _claim(self, arrival: Arrival, lease: datetime) -> Row | None:
        """Return the run's row with this worker as its holder, or None when there is nothing to do.

        Raises:
            Redeliver: another worker has the run, or was faster.
        """
        holder = uuid4().hex
        new = arrival.row(
            "running",
            attempts=1,
            holder=holder,
            lease=clock.milliseconds(lease),
            started_at=clock.isoformat(clock.now()),
            continuation=arrival.envelope.detail.metadata.continuation,
        )
        before = ledger().create(new)
        if before is None or before.holder == holder:  # ours: the first answer was lost, and the client asked again
            return new
        if not self._may_take(before, arrival):
            return None
        if not ledger().take(before, holder=holder, lease=lease):
            raise Redeliver("another worker was faster")
        return before.taken_by(holder)

    def _may_take(self, before: Row, arrival: Arrival) -> bool:
        """Decide on a message whose run is known: True when its next attempt is due."""
        if not before.is_open:
            if before.failure == "pending":
                tell_failure(before, arrival.message.body)
            logger().info("duplicate dropped", extra={"status": before.status})
            return False
        if arrival.envelope.detail.metadata.continuation != before.continuation:
            if before.is_untaken:
                self._send_continuation(before)  # its worker may have died before the message left
            return False
        if before.lease > clock.milliseconds(clock.now()):
            raise Redeliver("another worker has the run")
        if before.attempt >= self.attempts and not before.is_untaken:
            died = {"type": "WorkerDiedError", "message": f"the worker died on attempt {before.attempt}, the last"}
            fail(before, arrival.message.body, died, holder=before.holder)
            return False
        return True

    def _work(self, row: Row, message: Message, context: LambdaContext) -> None:
        assert self._handle is not None, f"{self.id} has no handler"
        envelope = row.envelope
        run = Run(row.id, self.id, envelope, attempt=row.attempt, cursor=row.cursor, context=context)
        try:
            with measured(self.id):
                output = json_value(self._handle(data_of(envelope, self.trigger), run))
        except Continue as pause:
            self._go_on(row, json_value(pause.cursor))
        except NonRetryableError as error:
            logger().exception("run cannot succeed")
            fail(row, message.body, describe(error), holder=row.holder)
        except Exception as error:  # noqa: BLE001 (whatever an author's code raises is one failed attempt)
            self._try_again(row, message, error)
        else:
            if ledger().complete(row.id, output=output, holder=row.holder):
                logger().info("run completed", extra={"output": output})
            else:
                logger().warning("the run was taken over before it ended here")

    def _try_again(self, row: Row, message: Message, error: Exception) -> None:
        last = row.attempt >= self.attempts or message.receive_count >= self.attempts + SPARE_RECEIVES
        logger().exception("attempt failed", extra={"last": last})
        if last:
            fail(row, message.body, describe(error), holder=row.holder)
            return
        ledger().release(row.id, holder=row.holder, error=describe(error))
        raise Redeliver(f"attempt {row.attempt} failed", interval_after(row.attempt)) from error

    def _go_on(self, row: Row, cursor: Any) -> None:
        following = row.continuation + 1
        if ledger().go_on(row, holder=row.holder, cursor=cursor):
            self._send_continuation(replace(row, continuation=following))
            logger().info("run goes on in another call", extra={"continuation": following})

    def _send_continuation(self, row: Row) -> None:
        body = row.envelope.continued(row.continuation).as_json()
        aws.client("sqs").send_message(QueueUrl=settings().inbox_url, MessageBody=body)
