"""Decide whether a run starts now, later or not at all, by its function's policies.

The order is the design's: rate limit, then throttle with the start time-out inside the reservation. A worker that dies
between a reservation and its note in the ledger leaves a slot unused: the limits are never exceeded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared import aws, clock
from shared.engine.durations import milliseconds_of
from shared.engine.policies import RateLimit, Throttle, Timeouts, check_key
from shared.settings import settings

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from shared.engine.row import Row
    from shared.events.event import Event


@dataclass(frozen=True)
class Verdict:
    """What the policies say of a run: why it is skipped or cancelled, or from when it may start."""

    slot: datetime
    skipped: dict[str, Any] | None = None
    cancelled: dict[str, Any] | None = None


@dataclass(frozen=True)
class Admission:
    """The policies of one function.

    Raises:
        ValueError: a policy's key is no field of the trigger.
    """

    function: str
    trigger: type[Event]
    throttle: Throttle | None = None
    rate_limit: RateLimit | None = None
    timeouts: Timeouts | None = None

    def __post_init__(self) -> None:
        for policy in (self.throttle, self.rate_limit):
            if policy is not None:
                check_key(policy.key, self.trigger)

    @property
    def is_free(self) -> bool:
        """Whether every run may start at once."""
        return self.throttle is None and self.rate_limit is None

    @property
    def finish(self) -> timedelta | None:
        """How long a run may take from its start."""
        return self.timeouts.finish if self.timeouts else None

    def lateness(self, row: Row, now: datetime) -> dict[str, Any] | None:
        """Return the error of a run that has not started, or not finished, in time; None while it has time."""
        if self.timeouts is None:
            return None
        start, finish = self.timeouts.start, self.timeouts.finish
        if start is not None and row.started_at is None and now > row.time_of("accepted") + start:
            return _start_timeout(start)
        if finish is not None and row.started_at is not None and now >= row.time_of("started") + finish:
            return {"type": "FinishTimeoutError", "message": f"the run had not finished {finish} after its start"}
        return None

    def decide(self, row: Row, event: Event, now: datetime) -> Verdict:
        """Reserve what the policies want reserved and return what they say.

        Raises:
            ClientError: the table of reservations cannot be reached; the inbox tries again.
        """
        if self.is_free:
            return Verdict(now)
        from shared.engine.gcra import Slots  # noqa: PLC0415 (functions without policies need none of it)

        slots = Slots(aws.client("dynamodb"), settings().flow_table)
        run, moment = str(row.id), clock.milliseconds(now)
        if (limit := self.rate_limit) is not None and not slots.admits(
            limit, limit.item_key(self.function, event), run=run, now=moment
        ):
            message = f"more than {limit.limit} runs in {limit.period} were asked for"
            return Verdict(now, skipped={"type": "RateLimitError", "message": message})
        if self.throttle is None:
            return Verdict(now)
        start = self.timeouts.start if self.timeouts else None
        horizon = None if start is None else milliseconds_of(row.time_of("accepted") + start - now)
        slot = slots.throttle(
            self.throttle, self.throttle.item_key(self.function, event), run=run, now=moment, horizon=horizon
        )
        if slot is None:
            return Verdict(now, cancelled=_start_timeout(start))
        # A slot is whole milliseconds: now's own is no reason to wait until its end.
        return Verdict(clock.at_milliseconds(slot) if slot > moment else now)


def _start_timeout(start: timedelta | None) -> dict[str, Any]:
    limit = "90 days" if start is None else str(start)
    return {"type": "StartTimeoutError", "message": f"the run could not start within {limit} of its acceptance"}
