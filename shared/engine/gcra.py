"""Give runs their slots at a bounded rate, exactly, however many callers ask at once: GCRA on a DynamoDB item.

The generic cell rate algorithm keeps one number a key, the theoretical arrival time `tat`: when the next start would be
due if all came at an even pace. With an interval T and a capacity C, a start asked for at `now` has the slot
`max(now, tat - (C - 1) T)`, and `tat` becomes `max(now, tat) + T`. (ITU-T I.371, annex A; virtual scheduling.)

`tat` is whole nanoseconds since 1970, so T = period / limit, rounded up to one, does not drift by more than one
nanosecond a start; slots are its milliseconds. For every m runs admitted one after the other,
`last slot - first slot >= (m - C) T`, hence at most `floor(W / T) + C` slots in any W. It holds whatever the callers'
clocks show, since `tat` never falls: a clock that is ahead makes the others wait by as much, one that is behind may get
a slot that is earlier, by as much, than one given before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from shared import aws
from shared.engine.policies import NANOSECONDS, Rate, RateLimit, Throttle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

DAY: Final = 24 * 60 * 60 * 1000  # ms
LONGEST_WAIT: Final = 90 * DAY  # the ledger forgets a run after 100 days; who would wait longer is not admitted
KEPT: Final = DAY  # how long an item outlives its tat: then it says no more than no item does


class Slots:
    """The table of theoretical arrival times, `{pk, tat, run, expires}` a key, through one client.

    Each reservation is at most three UpdateItem calls (one, where starts come too fast; two, where they do not) and no
    read; none is tried again because somebody else was faster. `run` is the last that was admitted: a run that asks
    again, because its answer was lost or its worker died before noting it, gets the same slot. Where another run was
    admitted in between, it takes a second one: a slot is left unused then, never used twice.

    Errors of DynamoDB (a key asked for more than 1,000 times a second is throttled) reach the caller; the run is asked
    for again with its message.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def throttle(self, policy: Throttle, key: str, *, run: str, now: int, horizon: int | None = None) -> int | None:
        """Return when the run may start, or None when that is later than `horizon` ms from now; as `reserve`.

        `key` is `policy.item_key(function, event)`.
        """
        return self.reserve(key, policy.rate, run=run, now=now, horizon=horizon)

    def admits(self, policy: RateLimit, key: str, *, run: str, now: int) -> bool:
        """Return whether the run may start now; a run that may not has taken nothing. Arguments as for `throttle`."""
        return self.reserve(key, policy.rate, run=run, now=now, horizon=0) is not None

    def reserve(self, key: str, rate: Rate, *, run: str, now: int, horizon: int | None = None) -> int | None:
        """Return the run's slot, in ms since 1970 and not before `now`, or None when it would be too late.

        Args:
            key: what is counted together, at most 2,048 bytes of UTF-8.
            rate: interval and capacity.
            run: who asks.
            now: ms since 1970.
            horizon: how many ms from now the slot may be; 90 days at most. A run that gets None has taken no slot.
        """
        ahead = LONGEST_WAIT if horizon is None else min(horizon, LONGEST_WAIT)
        if ahead < 0:
            return None
        moment = now * NANOSECONDS
        early = (rate.capacity - 1) * rate.interval_ns  # how long before its even pace a start may be
        latest = moment + ahead * NANOSECONDS + early
        names = {"#tat": "tat", "#run": "run", "#expires": "expires"}
        known = {":now": _number(moment), ":run": {"S": run}}
        behind: dict[str, Any] = {
            "UpdateExpression": "SET #tat = #tat + :interval, #run = :run, #expires = :expires",
            "ConditionExpression": "#tat > :now AND #tat <= :latest AND #run <> :run",
            "ExpressionAttributeValues": known
            | {":interval": _number(rate.interval_ns), ":latest": _number(latest)}
            | {":expires": _expiry(latest + rate.interval_ns)},
        }
        idle: dict[str, Any] = {
            "UpdateExpression": "SET #tat = :next, #run = :run, #expires = :expires",
            "ConditionExpression": "attribute_not_exists(#tat) OR #tat <= :now",
            "ExpressionAttributeValues": known
            | {":next": _number(moment + rate.interval_ns), ":expires": _expiry(moment + rate.interval_ns)},
        }
        # The third cannot find the key idle: what refused the second was a tat past now, and tat never falls.
        for update in (behind, idle, behind):
            written, item = self._update(key, update | {"ExpressionAttributeNames": names})
            tat = int(item["tat"]["N"]) if "tat" in item else 0
            if written or (tat > moment and item["run"] == {"S": run}):
                return max(now, (tat - rate.interval_ns - early) // NANOSECONDS)
            if update is behind and tat > moment:
                return None
        raise RuntimeError(f"somebody deleted the item {key!r} meanwhile")

    def _update(self, key: str, update: dict[str, Any]) -> tuple[bool, Mapping[str, Attribute]]:
        """Return whether the update was made, and the item: as it is now, or as it refused the update."""
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"pk": {"S": key}},
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update,
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return False, aws.refused_item(refused)
        return True, answer["Attributes"]


def _number(value: int) -> Attribute:
    return {"N": str(value)}


def _expiry(tat: int) -> Attribute:
    """Return, in seconds since 1970, when an item may be deleted whose tat is at most this."""
    return _number((tat // NANOSECONDS + KEPT) // 1000 + 1)
