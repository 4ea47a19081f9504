"""Task: a function whose whole work is one handler call per inbox message.

A message is delivered at least once; the ledger makes of that: one worker at a time, no work after the end, retries
with growing waits, and an end for every run, also when its worker died.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared import clock
from shared.engine import control
from shared.engine.arrival import Arrival, EventType, data_of
from shared.engine.envelope import json_value
from shared.engine.errors import Continue, NonRetryableError, RetryAfter
from shared.engine.failure import describe, fail
from shared.engine.function import Function
from shared.engine.inbox import Redeliver
from shared.engine.ledger import ledger
from shared.engine.payloads import incoming, outgoing
from shared.engine.retries import interval_after
from shared.engine.run import Run
from shared.observability import log_context, logger, measured
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.delivery import Delivery
    from shared.engine.row import Row
    from shared.engine.run import LambdaContext

# SQS moves a message aside by itself after this many receives beyond the attempts: one receive records the end of a
# worker that died on its last attempt, one more is to spare.
SPARE_RECEIVES: Final = 2
WAITS_LIMIT: Final = 100  # a `RetryAfter` beyond so many waits costs an attempt, so that every run has an end


@dataclass(frozen=True)
class _GoOn:
    """What a handler that goes on in another call leaves for it."""

    cursor: Any


class Task(Function[EventType]):
    """One function of one handler. `@task` above a function makes it the handler."""

    _handle: Callable[[EventType, Run], Any] | None = None

    def __call__(self, handle: Callable[[EventType, Run], Any]) -> Callable[[EventType, Run], Any]:
        """Make `handle` the task's work and return it as it is, so that a test can call it."""
        self._handle = handle
        return handle

    def handler(self, event: Any, context: LambdaContext) -> dict[str, Any]:
        """Answer Lambda: an SQS batch in, the messages that are to be delivered again out."""
        return self._process(event, context)

    def _new_row(self, arrival: Arrival, delivery: Delivery) -> Row:
        return arrival.row(
            "running",
            attempts=1,
            holder=delivery.holder,
            lease=clock.milliseconds(delivery.lease),
            started_at=clock.isoformat(delivery.received_at),
        )

    def _begin_new(self, row: Row, delivery: Delivery) -> None:
        self._set_deadline(row, delivery.received_at)
        self._work(row, delivery)

    def _begin(self, row: Row, delivery: Delivery) -> None:
        if row.started_at is None:
            self._set_deadline(row, delivery.received_at)
        if not ledger().take(row, holder=delivery.holder, lease=delivery.lease):
            raise Redeliver("another worker was faster")
        self._work(row.taken_by(delivery.holder), delivery)

    def _seen_running(self, row: Row, delivery: Delivery) -> None:
        if row.is_held(delivery.received_at):
            raise Redeliver("another worker has the run")
        if row.attempt >= self.attempts and not row.is_untaken:
            message = f"the worker died on attempt {row.attempt}, the last"
            died = {"type": "WorkerDiedError", "message": message, "attempt": row.attempt}
            fail(row, died, holder=row.holder)
            return
        self._begin(row, delivery)

    def _stop(self, row: Row, error: dict[str, Any]) -> None:
        # A worker that has the run cannot be interrupted; what it does from now on is not recorded.
        fail(row, error, status="cancelled")

    def _is_dead_letter(self, _row: Row) -> bool:
        return True

    def _work(self, row: Row, delivery: Delivery) -> None:
        with log_context(attempt=row.attempt):
            try:
                with measured(self.id):
                    end = self._call(row, delivery)
            except RetryAfter as error:
                self._try_later(row, delivery, error)
            except NonRetryableError as error:
                logger().exception("run cannot succeed")
                fail(row, describe(error, attempt=row.attempt), holder=row.holder)
            except Exception as error:  # noqa: BLE001 (whatever an author's code raises is one failed attempt)
                self._try_again(row, delivery, error)
            else:
                if isinstance(end, _GoOn):
                    self._go_on(row, end.cursor)
                else:
                    self._complete(row, end)

    def _call(self, row: Row, delivery: Delivery) -> Any:
        """Return what the handler answers, or from where it goes on, in the form in which it is kept."""
        assert self._handle is not None, f"{self.id} has no handler"
        envelope = row.envelope
        event, cursor = data_of(envelope, self.trigger), incoming(row.cursor)
        run = Run(row.id, self.id, envelope, row.attempt, cursor=cursor, context=delivery.context)
        try:
            return outgoing(json_value(self._handle(event, run)))
        except Continue as pause:
            return _GoOn(outgoing(json_value(pause.cursor)))

    def _complete(self, row: Row, output: Any) -> None:
        if ledger().complete(row.id, output=output, holder=row.holder):
            logger().info("run completed", extra={"output": output})
        else:
            logger().warning("the run was taken over, or cancelled, before it ended here")

    def _try_again(self, row: Row, delivery: Delivery, error: Exception) -> None:
        last_receive = delivery.message.receive_count >= self.attempts + SPARE_RECEIVES
        last = row.attempt >= self.attempts or last_receive
        logger().exception("attempt failed", extra={"last": last})
        described = describe(error, attempt=row.attempt)
        if last:
            fail(row, described, holder=row.holder)
            return
        seconds = interval_after(row.attempt)
        ledger().release(row.id, holder=row.holder, error=described, seconds=seconds)
        raise Redeliver(f"attempt {row.attempt} failed", seconds) from error

    def _try_later(self, row: Row, delivery: Delivery, error: RetryAfter) -> None:
        if row.waits >= WAITS_LIMIT:
            self._try_again(row, delivery, error)
        else:
            self._wait(row, delivery, clock.now() + timedelta(seconds=error.seconds))

    def _go_on(self, row: Row, cursor: Any) -> None:
        if ledger().go_on(row, holder=row.holder, cursor=cursor):
            control.send(settings().inbox_url, "due", row.id)
            logger().info("run goes on in another call", extra={"continuation": row.continuation + 1})
