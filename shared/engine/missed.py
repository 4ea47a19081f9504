"""Expect a run for each time at which a schedule was due, so that one that did not fire is found.

A schedule's event carries the time at which it was due, and with it its id. It is recorded as an event of the bus is,
with the function that should have got it; where there is no run, the reconciler sends it. How far the schedules have
been gone through is one item of the ledger's table; before the first time nothing was missed.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from shared import aws, clock
from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError
from shared.engine.ledger import CHECK_AFTER
from shared.engine.reconciler import FUNCTION
from shared.engine.recorder import record
from shared.observability import logger
from shared.registry import registry
from shared.schedules import ScheduleExpressionError, Timing, input_at
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_LOOK_BACK: Final = timedelta(days=3)  # after a longer outage, older times are a person's decision
MOST: Final = 100  # times of one schedule that one pass looks at: the newest
_KEY: Final[Any] = {"pk": {"S": "schedules"}, "sk": {"N": "0"}}


def expect_schedules(as_of: datetime) -> None:
    """Record what was due since the last time, up to five minutes before `as_of`.

    Repeating it is safe: an event is recorded once. The reconciler's own schedule is left out, since what it missed is
    made up for by its next pass.
    """
    until = as_of - CHECK_AFTER
    known = _gone_through_until()
    if known is not None and known >= until:
        return
    if known is not None:
        after = max(known, until - LONGEST_LOOK_BACK)
        schedules = {function: woken.schedule for function, woken in registry().items() if function != FUNCTION}
        recorded = [_expect(function, name, after, until) for function, name in schedules.items() if name is not None]
        if not all(recorded):
            return
    item = _KEY | {"gone_through_until": {"S": clock.isoformat(until)}}
    aws.client("dynamodb").put_item(TableName=settings().ledger_table, Item=item)


def _gone_through_until() -> datetime | None:
    answer = aws.client("dynamodb").get_item(TableName=settings().ledger_table, Key=_KEY, ConsistentRead=True)
    return datetime.fromisoformat(answer["Item"]["gone_through_until"]["S"]) if "Item" in answer else None


def _expect(function: str, schedule: str, after: datetime, until: datetime) -> bool:
    """Record when a function's schedule was due; False if it is to be tried again, since AWS did not answer."""
    try:
        for envelope, at in _due(schedule, after, until):
            record(envelope, functions=[function], at=at)
    except (ScheduleExpressionError, InvalidMessageError):
        logger().exception("a schedule that cannot be checked", extra={"schedule": schedule})
    except ClientError:
        logger().exception("a schedule that could not be checked now", extra={"schedule": schedule})
        return False
    return True


def _due(name: str, after: datetime, until: datetime) -> Iterator[tuple[Envelope, datetime]]:
    """Yield the schedule's event for each time at which it was due; a rate's times are known to AWS alone."""
    scheduler = aws.client("scheduler")
    try:
        schedule = scheduler.get_schedule(GroupName=settings().stack_name, Name=name)
    except scheduler.exceptions.ResourceNotFoundException:
        logger().warning("a schedule of the registry is not deployed", extra={"schedule": name})
        return
    expression = schedule["ScheduleExpression"]
    if schedule["State"] != "ENABLED" or expression.startswith("rate("):
        return
    # Before it was made, edited or enabled, it was due at other times, or never.
    after = max(after, schedule["LastModificationDate"])
    timing = Timing(expression, schedule.get("ScheduleExpressionTimezone", "UTC"))
    newest = deque(timing.between(after, until), MOST)
    if len(newest) == MOST:
        logger().warning("a schedule was due often: only its newest times are checked", extra={"schedule": name})
    for at in newest:
        yield Envelope.parse(input_at(schedule["Target"]["Input"], at)), at
