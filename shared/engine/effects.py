"""Do an effect on the outside world once, and say honestly when that cannot be known.

Nobody can do something elsewhere and write it down here in one stroke: a worker that dies between the two leaves the
question open. What then happens is the author's choice, `repeat` or `stop`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from shared import clock
from shared.engine.effect_records import effect_records
from shared.engine.envelope import canonical_json, json_value
from shared.engine.errors import NonRetryableError, RetryAfter
from shared.engine.payloads import PayloadTooLargeError, incoming, outgoing
from shared.observability import count, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.engine.effect_records import EffectRecords, Record
    from shared.engine.run import Run

OncePolicy = Literal["repeat", "stop"]

EFFECT_LIMIT: Final = timedelta(minutes=1)  # longer than a call of an outside service with its own time-outs takes
_ITEM_LIMIT: Final = 512  # bytes of an item that a key shows as it is (DynamoDB takes 2,048 in all)
_HASHED: Final = "sha256:"
_NOT_BACK: Final = "its worker's time is over, and it did not come back to say whether it did it"


class EffectInProgressError(Exception):
    """Another worker is doing the effect, or died less than the effect's time limit ago; try again.

    `seconds` is how long its time still runs.
    """

    def __init__(self, key: str, seconds: float) -> None:
        super().__init__(f"another worker has the effect {key} for up to {seconds:.3f} s")
        self.seconds = seconds


class EffectUnknownError(NonRetryableError):
    """Nobody can say whether the effect was done, and it must not be done twice: a person has to look.

    An effect raises it when it cannot tell itself, as after a request that was sent and not answered.
    """


def once(run: Run, item: str, effect: Callable[[], Any], *, policy: OncePolicy, limit: timedelta = EFFECT_LIMIT) -> Any:
    """Do `effect` for `item` of this step of this run, unless it is recorded as done; return its result as JSON types.

    A recorded effect is never done again (for 30 days): whoever asks gets the recorded result, the first one. What
    happens where the record says "begun" and the worker's time is over, depends on `policy`: with `repeat` the effect
    is done again, which its author declares to be harmless; with `stop` it is not: it is recorded as unknown, logged,
    counted (metric `EffectsUnknown`), and every attempt ends with `EffectUnknownError`.

    An exception of the effect means "not done": the record is removed, the error travels, and a retry does the effect.
    With `stop` there are exceptions that leave it open, and count as unknown: an `EffectUnknownError`, a time-out and
    a connection lost after it was made, unless the author turned it into `RetryAfter` or `NonRetryableError`.

    Records belong to the run's id. A replay or a redrive is the next generation, another run: it does all effects anew.
    An effect that outlasts `limit` counts as left by its worker, though it may still end: the first record of a result
    stays, and what was told as unknown may turn out to be done.

    Args:
        run: the run, and its step, that the effect belongs to.
        item: what the effect is for, the same in every attempt and different for each effect of the step.
        effect: does it; returns anything with a JSON form.
        policy: what to do when a worker died in the middle.
        limit: how long the effect takes at most. The step's retries must last longer: until then, others wait.

    Raises:
        EffectInProgressError: another worker has it; retry.
        EffectUnknownError: see above; or the record cannot be read; or the result cannot be stored.
        Exception: what the effect raised, or what the table's client did.
    """
    assert limit > timedelta(0), "an effect takes time"
    now = clock.now()
    work = _Work(effect_records(), effect_key(run, item), run.function, uuid4().hex, policy)
    found = work.records.claim(work.key, holder=work.holder, now=now, until=now + limit, take_over=policy == "repeat")
    return work.do(effect) if found is None else work.answer_from(found, clock.milliseconds(now))


def effect_key(run: Run, item: str) -> str:
    """Return the id of the record of `item`: `<run id>/<step, or - in a task>/<item>`, a long item as its SHA-256."""
    shown = item
    if len(encoded := item.encode()) > _ITEM_LIMIT or item.startswith(_HASHED):
        shown = _HASHED + sha256(encoded).hexdigest()
    return f"{run.id}/{run.step or '-'}/{shown}"


@dataclass(frozen=True)
class _Work:
    """One worker at one effect."""

    records: EffectRecords
    key: str
    function: str
    holder: str
    policy: OncePolicy

    def do(self, effect: Callable[[], Any]) -> Any:
        try:
            result = effect()
        except Exception as error:
            if self.policy == "stop" and _leaves_open(error):
                raise self._leave_unknown(f"{type(error).__name__}: {error}") from error
            self._release()
            raise
        try:
            data = _encode(result)
        except (ValueError, TypeError, RecursionError, PayloadTooLargeError) as error:
            raise self._leave_unknown(f"it was done, but its result cannot be stored: {error}") from error
        return _decode(self.records.complete(self.key, holder=self.holder, data=data))

    def answer_from(self, found: Record, now: int) -> Any:
        """Return or raise what the record of another attempt says; `now` is in ms since 1970."""
        if found.status == "INPROGRESS":
            if found.until >= now:
                raise EffectInProgressError(self.key, (found.until - now) / 1000)
            marked = self.records.mark_unknown(self.key, holder=found.holder, reason=_NOT_BACK)
            if marked is None or marked.status == "INPROGRESS":  # it came back meanwhile, and had not done it
                raise EffectInProgressError(self.key, 0)
            found = marked
        if found.status == "COMPLETED":
            logger().info("effect was done before", extra={"effect": self.key})
            return _decode(found.data)
        raise self._unknown(found.reason)

    def _leave_unknown(self, reason: str) -> EffectUnknownError:
        """Record, as far as it goes, that the effect is open; return the error that says so."""
        try:
            self.records.mark_unknown(self.key, holder=self.holder, reason=reason)
        except Exception:  # noqa: BLE001 (the effect's error is the one to tell; in time the record says the same)
            logger().exception("effect could not be marked as unknown", extra={"effect": self.key})
        return self._unknown(reason)

    def _unknown(self, reason: str) -> EffectUnknownError:
        logger().error("effect unknown", extra={"effect": self.key, "reason": reason})
        count("EffectsUnknown", function=self.function)
        return EffectUnknownError(f"effect {self.key}: {reason}")

    def _release(self) -> None:
        try:
            self.records.release(self.key, holder=self.holder)
        except Exception:  # noqa: BLE001 (as above; a record that stays makes others wait until its time is over)
            logger().exception("record of an effect could not be removed", extra={"effect": self.key})


def _encode(result: Any) -> str:
    """Return a result as the text that the record holds; raise ValueError when it cannot hold it."""
    return canonical_json(outgoing(json_value(result)))


def _decode(text: str) -> Any:
    return incoming(json.loads(text))


def _leaves_open(error: BaseException) -> bool:
    """Return whether the effect may have been done although it raised `error`."""
    # In memory by now, with the client of the records; but nothing that every cold start should pay for.
    from http.client import IncompleteRead  # noqa: PLC0415

    import botocore.exceptions as botocore  # noqa: PLC0415
    import urllib3.exceptions as urllib3  # noqa: PLC0415

    decided = (NonRetryableError, RetryAfter)
    never_sent = (
        botocore.ConnectTimeoutError,
        botocore.EndpointConnectionError,
        urllib3.ConnectTimeoutError,
        urllib3.NewConnectionError,
    )
    timed_out = (TimeoutError, botocore.ReadTimeoutError, urllib3.ReadTimeoutError)
    broken = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, IncompleteRead)
    lost = (*timed_out, *broken, botocore.ConnectionClosedError)
    for cause in _with_causes(error):
        if isinstance(cause, EffectUnknownError):
            return True
        if isinstance(cause, (*decided, *never_sent)):
            return False
        if isinstance(cause, lost):
            return True
    return False


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what it was raised from or while handling."""
    known: BaseException | None = error
    while known is not None:
        yield known
        known = known.__cause__ or (None if known.__suppress_context__ else known.__context__)
