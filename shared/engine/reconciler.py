"""Find what lost its way, and drive it on: the net behind every message that AWS may lose or that a worker took along.

Only what is unfinished and overdue is read. What is found is noted first (the next look is later) and driven on then,
always by a message or a write that does no harm when it was not needed: the ledger decides.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from shared import aws, clock
from shared.engine import control
from shared.engine.executions import look_up, record_end
from shared.engine.ledger import CHECK_AFTER, ledger
from shared.engine.recorder import PREFIX, RecordedEvent
from shared.engine.row import Row, row_of
from shared.engine.unfinished import Item, Unfinished
from shared.events.schedule import ScheduleFired
from shared.observability import count, log_context, logger
from shared.registry import reacts, registry
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.control import Kind
    from shared.engine.identity import RunId

# An event's, or a schedule's, expected run without a row; a run that did not start; a dead worker; an execution whose
# end nobody heard of; a bad end of which nobody was told.
Finding = Literal["event", "schedule", "start", "worker", "end", "failure"]

FUNCTION: Final = "platform-reconcile"
BACKLOG_PATIENCE: Final = timedelta(hours=6)  # an inbox with a backlog probably still holds the message that is missed
LONGEST_PAUSE: Final = timedelta(hours=6)  # between two looks at something that stays unfinished


class Reconciler:
    """One pass over what is overdue `as_of` a time.

    Args:
        as_of: what was to be looked at by then is looked at now.
        has_time: asked before each item; the pass ends when it says no.
    """

    def __init__(self, as_of: datetime, has_time: Callable[[], bool]) -> None:
        self._as_of = as_of
        self._has_time = has_time
        self._unfinished = Unfinished()
        self._backlogs: dict[str, bool] = {}
        self.looked_at = 0
        self.found: Counter[Finding] = Counter()

    def run(self) -> bool:
        """Look at everything that is overdue; return False when the time did not suffice."""
        for items in self._unfinished.overdue(self._as_of):
            readable = [(item, read) for item in items if (read := self._read(item)) is not None]
            events = [read for _, read in readable if isinstance(read, RecordedEvent)]
            rows = self._unfinished.existing(run for event in events for run in event.expected.values())
            for item, read in readable:
                if not self._has_time():
                    return False
                self._look_at(item, read, rows)
        return True

    def _read(self, item: Item) -> RecordedEvent | Row | None:
        """Return what an item holds; one that cannot be read is out of the way for a while."""
        try:
            return RecordedEvent.read(item) if item["pk"]["S"].startswith(PREFIX) else row_of(item)
        except (LookupError, ValueError, TypeError):
            logger().exception("an unfinished item cannot be read", extra={"item": item["pk"]["S"]})
            self._unfinished.postpone(item, self._now() + LONGEST_PAUSE)
            return None

    def _look_at(self, item: Item, read: RecordedEvent | Row, rows: set[RunId]) -> None:
        """Look at one item. Whatever goes wrong, its neighbours are looked at, and it is again when it is due again."""
        self.looked_at += 1
        with log_context(item=item["pk"]["S"]):
            try:
                if isinstance(read, RecordedEvent):
                    self._look_at_event(item, read, rows)
                elif self._unfinished.postpone(item, self._next_look(read.time_of("accepted"))):
                    self._look_at_run(read)
            except Exception:  # noqa: BLE001 (see above)
                logger().exception("an unfinished item could not be driven on")
                self._unfinished.postpone(item, self._now() + LONGEST_PAUSE)  # unless it was before it went wrong

    # --- runs ---

    def _look_at_run(self, row: Row) -> None:
        now = clock.now()
        if row.function not in registry():
            logger().warning("a run of a function that is no longer deployed", extra={"function": row.function})
        elif row.is_held(now) or row.slot > clock.milliseconds(now):
            return
        elif not row.is_open:
            self._drive_on(row, "failure", "failure")
        elif row.status != "running":
            self._drive_on(row, "due", "start")
        elif registry()[row.function].kind == "workflow":
            self._look_at_execution(row)
        else:
            self._drive_on(row, "due", "worker")

    def _drive_on(self, row: Row, kind: Kind, finding: Finding) -> None:
        moved = max(row.time_of("started"), clock.at_milliseconds(max(row.slot, row.lease)))
        if not self._may_be_queued(row.function, since=moved):
            control.send(settings().inbox_of(row.function), kind, row.id)
            self._count(finding, row.function)

    def _look_at_execution(self, row: Row) -> None:
        client = aws.client("stepfunctions")
        try:
            ended = look_up(row.id.execution_of(f"{settings().state_machine_prefix}{row.function}"))
        except client.exceptions.ExecutionDoesNotExist:
            error = {"type": "ExecutionLostError", "message": "Step Functions does not know the run's execution"}
            if ledger().fail(row.id, error=error):
                control.send(settings().inbox_of(row.function), "failure", row.id)
                self._count("end", row.function)
            return
        if ended is None:
            # Its function knows whether it should be over: the message of its deadline may be what was lost.
            control.send(settings().inbox_of(row.function), "due", row.id)
        elif self._as_of - ended.ended >= CHECK_AFTER and record_end(ended):  # its news takes a moment
            self._count("end", row.function)

    # --- events ---

    def _look_at_event(self, item: Item, event: RecordedEvent, rows: set[RunId]) -> None:
        expected = event.expected.items()
        missing = [function for function, run in expected if run not in rows and reacts(function, event.name)]
        if not missing:
            self._unfinished.settle(item)
        elif self._unfinished.postpone(item, self._next_look(event.accepted)):
            for function in missing:
                try:
                    self._send(event, function)
                except Exception:  # noqa: BLE001 (the others get theirs, this one is tried again at the next look)
                    logger().exception("the event could not be sent again", extra={"function": function})

    def _send(self, event: RecordedEvent, function: str) -> None:
        if not self._may_be_queued(function, since=event.accepted):
            aws.client("sqs").send_message(QueueUrl=settings().inbox_of(function), MessageBody=event.event)
            self._count("schedule" if event.name == ScheduleFired.event_name else "event", function)

    # --- both ---

    def _may_be_queued(self, function: str, *, since: datetime) -> bool:
        """Return whether what should have happened `since` then probably still waits its turn in the inbox."""
        return self._has_backlog(function) and self._as_of - since < BACKLOG_PATIENCE

    def _has_backlog(self, function: str) -> bool:
        """Return whether the inbox held messages before this pass put any there."""
        if function not in self._backlogs:
            answer = aws.client("sqs").get_queue_attributes(
                QueueUrl=settings().inbox_of(function), AttributeNames=["ApproximateNumberOfMessages"]
            )
            self._backlogs[function] = int(answer["Attributes"]["ApproximateNumberOfMessages"]) > 0
        return self._backlogs[function]

    def _count(self, finding: Finding, function: str) -> None:
        self.found[finding] += 1
        count("RunsDrivenOn", function=FUNCTION)
        logger().warning("driven on", extra={"finding": finding, "function": function})

    def _now(self) -> datetime:
        """Return the later of now and the time as of which this pass looks: it looks at nothing twice."""
        return max(clock.now(), self._as_of)

    def _next_look(self, accepted: datetime) -> datetime:
        """Return when to look again: the older, the later, so that what stays unfinished costs little."""
        now = self._now()
        return now + min(max(now - accepted, CHECK_AFTER), LONGEST_PAUSE)
