"""What tasks and workflows share: the way from an inbox message to a run that starts, waits, goes on or ends.

Every trigger ends in the inbox, so everything that can happen to a run arrives here as a message: its event, also a
second time, and the engine's own control messages. What a message means depends on the run's row alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic

from shared import clock
from shared.engine import control
from shared.engine.admission import Admission
from shared.engine.arrival import Arrival, EventType, arrive, data_of, refuse_message
from shared.engine.control import Control
from shared.engine.delivery import Delivery
from shared.engine.errors import InvalidMessageError, NonRetryableError
from shared.engine.failure import Failure, conclude, describe, fail, tell
from shared.engine.inbox import Redeliver, process
from shared.engine.ledger import ledger
from shared.observability import log_context, logger
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.policies import RateLimit, Throttle, Timeouts
    from shared.engine.row import Row
    from shared.engine.run import LambdaContext, Run


class Function(ABC, Generic[EventType]):
    """A function with an inbox.

    Args:
        id: the function's kebab-case id.
        trigger: the event that it reacts to.
        attempts: how often a run (of a workflow: its start), or its `on_failure`, is tried before it has failed.
        throttle: how many runs may start in a time; those above it wait for their slot.
        rate_limit: how many runs may start in a time; those above it are skipped.
        timeouts: how long a run may wait to start, and how long it may take from its start.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 (the id is one)
        *,
        trigger: type[EventType],
        attempts: int = 5,
        throttle: Throttle | None = None,
        rate_limit: RateLimit | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.id = id
        self.trigger = trigger
        self.attempts = attempts
        self.admission = Admission(id, trigger, throttle, rate_limit, timeouts)
        self._on_failure: Callable[[EventType, Failure], object] | None = None

    def on_failure(self, call: Callable[[EventType, Failure], Any]) -> Callable[[EventType, Failure], Any]:
        """Make `call` what is done, once, about each run that did not succeed; return it as it is.

        It is tried as often as a task's handler. An event whose data is not the trigger's never reaches it.
        """
        self._on_failure = call
        return call

    # --- what a task and a workflow do each in their way ---

    @abstractmethod
    def _new_row(self, arrival: Arrival, delivery: Delivery) -> Row:
        """Return the row that a run without policies begins with."""

    @abstractmethod
    def _begin(self, row: Row, delivery: Delivery) -> None:
        """Start an admitted run, of which `row` says how it was before."""

    @abstractmethod
    def _begin_new(self, row: Row, delivery: Delivery) -> None:
        """Start a run whose row has just been created for this worker."""

    @abstractmethod
    def _seen_running(self, row: Row, delivery: Delivery) -> None:
        """Go on with a run that was started, if it is its turn."""

    @abstractmethod
    def _stop(self, row: Row, error: dict[str, Any]) -> None:
        """End a run that is to be cancelled."""

    @abstractmethod
    def _is_dead_letter(self, row: Row) -> bool:
        """Return whether the dead-letter queue is the place for the event of a run that failed."""

    # --- messages ---

    def _process(self, event: Any, context: LambdaContext) -> dict[str, Any]:
        return process(event, lambda message: self._receive(Delivery.now(message, context)))

    def _receive(self, delivery: Delivery) -> None:
        try:
            message = Control.parse(delivery.message.body)
            arrival = arrive(self.id, self.trigger, delivery.message) if message is None else None
        except InvalidMessageError as error:
            refuse_message(self.id, delivery.message, error)
            return
        if arrival is not None:
            with log_context(function=self.id, run_id=str(arrival.run), event_id=arrival.envelope.event_id):
                self._arrived(arrival, delivery)
        elif message is not None:
            with log_context(function=self.id, run_id=message.run):
                self._controlled(message, delivery)

    def _arrived(self, arrival: Arrival, delivery: Delivery) -> None:
        if self.admission.is_free:
            new = self._new_row(arrival, delivery)
        else:
            lease = clock.milliseconds(delivery.admission_lease)
            new = arrival.row("accepted", holder=delivery.holder, lease=lease)
        before = ledger().create(new)
        # A row that names us is ours: the first answer was lost, and the client asked again.
        if before is not None and not (before.holder and before.holder == new.holder):
            self._seen_again(before, delivery, is_due=False)
        elif self.admission.is_free:
            self._begin_new(new, delivery)
        else:
            self._admit(new, delivery)

    def _controlled(self, message: Control, delivery: Delivery) -> None:
        row = ledger().get(message.run_id)
        if row is None:
            logger().warning("a control message for a run that is not known", extra={"kind": message.kind})
        elif row.function != self.id:
            strays = InvalidMessageError(f"a control message for a run of {row.function}, not of {self.id}")
            refuse_message(self.id, delivery.message, strays)
        elif message.kind == "failure":
            self._conclude(row, delivery)
        elif not row.is_open:
            self._seen_ended(row)
        elif message.kind == "cancel":
            self._stop(row, {"type": "CancelledError", "message": message.reason or "cancelled"})
        elif message.kind == "deadline":
            self._keep_deadline(row)
        else:
            self._seen_again(row, delivery, is_due=True)

    def _seen_again(self, row: Row, delivery: Delivery, *, is_due: bool) -> None:
        """Decide on a message whose run is known."""
        if not row.is_open:
            self._seen_ended(row)
        elif late := self.admission.lateness(row, delivery.received_at):
            self._stop(row, late)
        elif row.status == "waiting":
            self._seen_waiting(row, delivery, is_due=is_due)
        elif row.status == "running":
            self._seen_running(row, delivery)
        elif row.is_held(delivery.received_at):
            raise Redeliver("another worker admits the run")
        elif self.admission.is_free:
            self._begin(row, delivery)
        elif ledger().hold(row, holder=delivery.holder, lease=delivery.admission_lease):
            lease = clock.milliseconds(delivery.admission_lease)
            self._admit(replace(row, holder=delivery.holder, lease=lease), delivery)
        else:
            raise Redeliver("another worker was faster")

    def _seen_ended(self, row: Row) -> None:
        if row.failure == "pending":
            tell(row)  # its worker may have died before the message left
        logger().info("message dropped: the run has ended", extra={"status": row.status})

    def _seen_waiting(self, row: Row, delivery: Delivery, *, is_due: bool) -> None:
        slot = clock.at_milliseconds(row.slot)
        if slot <= delivery.received_at:
            self._begin(row, delivery)
        elif is_due:
            control.send(settings().inbox_url, "due", row.id, at=slot)
        else:
            logger().info("duplicate dropped: the run waits", extra={"slot": clock.isoformat(slot)})

    # --- the ways of a run ---

    def _admit(self, row: Row, delivery: Delivery) -> None:
        """Start a run that this worker holds, as the function's policies say: now, later or not at all."""
        try:
            event = data_of(row.envelope, self.trigger)
        except NonRetryableError as error:
            logger().exception("run cannot be admitted")
            fail(row, describe(error), holder=delivery.holder)
            return
        verdict = self.admission.decide(row, event, delivery.received_at)
        if verdict.skipped:
            ledger().skip(row.id, error=verdict.skipped, holder=delivery.holder)
            logger().info("run skipped", extra={"error": verdict.skipped})
        elif verdict.cancelled:
            fail(row, verdict.cancelled, holder=delivery.holder, status="cancelled")
        elif verdict.slot > delivery.received_at:
            self._wait(row, delivery, verdict.slot)
        else:
            self._begin(row, delivery)

    def _wait(self, row: Row, delivery: Delivery, until: datetime) -> None:
        """Let the run wait for `until`; a lost message is found by the reconciler."""
        if ledger().wait(row, holder=delivery.holder, until=until):
            control.send(settings().inbox_url, "due", row.id, at=until)
            logger().info("run waits", extra={"slot": clock.isoformat(until)})

    def _set_deadline(self, row: Row, started: datetime) -> None:
        """Ask to look at the run when its time is over; asked before it starts, so that no start goes unwatched."""
        if (finish := self.admission.finish) is not None:
            control.send(settings().inbox_url, "deadline", row.id, at=started + finish)

    def _keep_deadline(self, row: Row) -> None:
        now = clock.now()
        if late := self.admission.lateness(row, now):
            self._stop(row, late)
        elif row.started_at and self.admission.finish is not None:
            at = row.time_of("started") + self.admission.finish
            control.send(settings().inbox_url, "deadline", row.id, at=max(at, now + timedelta(seconds=1)))

    def _conclude(self, row: Row, delivery: Delivery) -> None:
        def call(row: Row, run: Run) -> None:
            assert self._on_failure is not None
            try:
                event = data_of(run.envelope, self.trigger)
            except InvalidMessageError:
                logger().info("the event is none that on_failure could read")
                return
            self._on_failure(event, Failure.of(row, run))

        conclude(
            row,
            delivery,
            is_dead_letter=row.status == "failed" and self._is_dead_letter(row),
            on_failure=call if self._on_failure is not None else None,
            attempts=self.attempts,
        )
