"""What follows a run's bad end: the dead-letter queue, the bus and the function's `on_failure` are told, each once.

Whoever ends a run (its worker, the recorder of executions, the reconciler) writes that into the ledger and sends a
`failure` message into the function's own inbox; there, in the function's own Lambda, the rest is done.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from shared.engine import control
from shared.engine.dead_letters import put_aside, put_run_aside
from shared.engine.envelope import Envelope, canonical_json
from shared.engine.errors import NonRetryableError
from shared.engine.inbox import Redeliver
from shared.engine.ledger import ledger
from shared.engine.payloads import full
from shared.engine.retries import interval_after
from shared.engine.run import Run
from shared.engine.sending import emit
from shared.observability import logger, measured
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.delivery import Delivery
    from shared.engine.row import Row
    from shared.events.outcomes import RunEnded

_MESSAGE_LIMIT: Final = 4_000  # bytes of an error's message, as JSON, that the ledger keeps
STEP: Final = "on_failure"  # its effects' records are not those of the handler
OUTCOMES: Final = "nightshift/function."  # a run that fails over such news makes no further news


@dataclass(frozen=True)
class Failure:
    """Why a run did not succeed, as `on_failure` is told.

    `type` is the error's class, `step` the failing step of a workflow (None for a task, or where none had begun),
    `attempt` its last attempt, from 1. `run` is the run that ended.
    """

    run: Run
    status: Literal["failed", "cancelled"]
    type: str
    message: str
    step: str | None = None
    attempt: int | None = None

    @classmethod
    def of(cls, row: Row, run: Run) -> Failure:
        """Return what the row of an ended run says of its failure."""
        error = error_of(row)
        status = cast("Literal['failed', 'cancelled']", row.status)
        return cls(run, status, error["type"], error["message"], error.get("step"), error.get("attempt"))


def describe(error: BaseException, *, attempt: int | None = None) -> dict[str, Any]:
    """Return an error as the ledger holds it: its class's name, its message, and on which attempt it was raised."""
    described = {"type": type(error).__name__, "message": _cut(str(error))}
    return described | ({"attempt": attempt} if attempt else {})


def _cut(message: str) -> str:
    """Return the beginning of a message, as Unicode that can be stored, in at most `_MESSAGE_LIMIT` bytes of JSON.

    A row's item takes 400 kB, of which its event and its cursor may have 200,000 bytes each.
    """
    text = message[:_MESSAGE_LIMIT].encode(errors="replace").decode()
    while (size := len(canonical_json(text).encode()) - len('""')) > _MESSAGE_LIMIT:
        text = text[: min(len(text) - 1, len(text) * _MESSAGE_LIMIT // size)]
    return text


def error_of(row: Row) -> dict[str, Any]:
    """Return the error of a run that ended badly."""
    return row.error or {"type": "UnknownError", "message": ""}


def fail(
    row: Row, error: dict[str, Any], *, holder: str | None = None, status: Literal["failed", "cancelled"] = "failed"
) -> None:
    """End `row`'s run badly and see to it that it is told; leave it alone if it ended otherwise.

    With `holder`, leave it alone also if that worker has it no longer.
    """
    if ledger().fail(row.id, error=error, holder=holder, status=status):
        logger().error(f"run {status}", extra={"error": error})
        tell(row)


def tell(row: Row) -> None:
    """Ask the function of an ended run for the rest; asked again, it finds it done."""
    control.send(settings().inbox_url, "failure", row.id)


def conclude(
    row: Row,
    delivery: Delivery,
    *,
    is_dead_letter: bool,
    on_failure: Callable[[Row, Run], None] | None,
    attempts: int,
) -> None:
    """Tell the dead-letter queue (if it is one for it), the bus and `on_failure` of a bad end, and note each.

    A worker that dies between two of them leaves a note of how far it came: a second copy of a dead letter or of an
    event on the bus carries the same id, and `on_failure` is not called again once it is noted that it returned. What
    it does outside and must not do twice, it does by `once`. Only its own attempts are counted: while the queue or the
    bus is away, the news is tried for as long as that lasts.

    Raises:
        Redeliver: another worker is at it, or `on_failure` failed and has attempts left.
    """
    if row.failure not in ("pending", "told"):
        logger().info("the failure was handled")
        return
    if row.is_held(delivery.received_at):
        raise Redeliver("another worker handles the failure")
    if row.failure_attempts >= attempts:
        died = {
            "type": "WorkerDiedError",
            "message": f"the worker died on attempt {row.failure_attempts} of on_failure",
        }
        _give_up(row, delivery, died)
        return
    if not ledger().take_failure(row, holder=delivery.holder, lease=delivery.lease):
        raise Redeliver("another worker was faster")
    if row.failure == "pending":
        if is_dead_letter and row.event:
            put_run_aside(row, error_of(row))
        announce(row)
        ledger().failure_told(row.id, holder=delivery.holder)
    if on_failure is not None and row.event:
        attempt = row.failure_attempts + 1
        run = Run(row.id, row.function, row.envelope, attempt, step=STEP, context=delivery.context)
        if not _called(on_failure, row, run, delivery, attempts):
            return
    ledger().failure_handled(row.id, holder=delivery.holder)


def _called(on_failure: Callable[[Row, Run], None], row: Row, run: Run, delivery: Delivery, attempts: int) -> bool:
    try:
        with measured(f"{row.function}/on_failure"):
            on_failure(row, run)
    except Exception as error:
        last = run.attempt >= attempts or isinstance(error, NonRetryableError)
        logger().exception("on_failure failed", extra={"last": last})
        if last:
            _give_up(row, delivery, describe(error, attempt=run.attempt))
            return False
        seconds = interval_after(run.attempt)
        ledger().release_failure(row.id, holder=delivery.holder, seconds=seconds)
        raise Redeliver(f"attempt {run.attempt} of on_failure failed", seconds) from error
    logger().info("on_failure was told")
    return True


def _give_up(row: Row, delivery: Delivery, error: dict[str, Any]) -> None:
    """Put the failure message aside; moved back into the inbox, it calls `on_failure` again."""
    put_aside(delivery.message.body, function=row.function, run=str(row.id), error=error)
    ledger().failure_given_up(row.id)


def announce(row: Row) -> None:
    """Put the news of a bad end on the bus, with an id that is the same each time."""
    if row.event_name.startswith(OUTCOMES):
        return  # else a function that fails over failures would cause the next for ever
    ended = datetime.fromisoformat(row.ended_at or row.accepted_at)
    envelope = Envelope.make(row.event_name, {}, event_id=row.event_id, source=row.function, time=ended)
    emit(Run(row.id, row.function, envelope), [(f"nightshift:{row.status}", _news(row))])  # a key no author takes


def _news(row: Row) -> RunEnded:
    from shared.events import outcomes  # noqa: PLC0415 (models cost a cold start that a good run should not pay)

    kind = outcomes.FunctionCancelled if row.status == "cancelled" else outcomes.FunctionFailed
    error = error_of(row)
    event = outcomes.CausingEvent(name=row.event_name, id=row.event_id, data=_data(row))
    return kind(
        function_id=row.function,
        run_id=str(row.id),
        error=outcomes.RunError(type=error["type"], message=error["message"]),
        step=error.get("step"),
        attempt=error.get("attempt"),
        event=event,
    )


def _data(row: Row) -> dict[str, Any]:
    if not row.event:
        return {}
    try:
        return full(row.envelope).detail.data
    except NonRetryableError:
        logger().exception("the event's payload cannot be read")
        return row.envelope.detail.data  # what is short of it
