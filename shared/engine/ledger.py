"""The ledger: one DynamoDB row per run, written so that two workers never both believe that a run is theirs.

Every write is conditional. A row is created before any work starts; while a worker has the run, the row names it
(`holder`) and says until when (`lease`, ms since 1970: the end of its Lambda call). A worker whose lease has run out
is dead or has been ended by Lambda, so another may take the run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from shared import aws, clock
from shared.engine.envelope import Envelope, canonical_json
from shared.engine.identity import RunId
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

Status = Literal["accepted", "waiting", "running", "completed", "failed", "cancelled", "skipped"]
OPEN: Final[tuple[Status, ...]] = ("accepted", "waiting", "running")
STATUSES: Final[tuple[Status, ...]] = (*OPEN, "completed", "failed", "cancelled", "skipped")

KEPT: Final = timedelta(days=100)  # how long a row lives, and so how long a repeated event is recognized
VALUE_LIMIT: Final = 200_000  # bytes of JSON that a row holds of an event or a result (DynamoDB's item limit is 400 kB)


@dataclass(frozen=True)
class Row:
    """One run as the ledger holds it. Times are RFC 3339 in UTC; `event` is the envelope's canonical JSON.

    `attempts` counts all attempts; going on in another call costs none. `earlier_attempts` are those that do not count
    against the current continuation's limit. `holder` is the worker that has the run, or had it last; it is empty while
    nobody has taken the current continuation.
    """

    id: RunId
    function: str
    status: Status
    event_id: str
    event_name: str
    accepted_at: str
    event: str = ""
    started_at: str | None = None
    ended_at: str | None = None
    attempts: int = 0
    earlier_attempts: int = 0
    continuation: int = 0
    cursor: Any = None
    lease: int = 0
    holder: str = ""
    output: Any = None
    error: dict[str, Any] | None = None
    failure: Literal["pending", "handled"] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.status in OPEN

    @property
    def is_untaken(self) -> bool:
        """Whether nobody has begun with the run, or with its current continuation."""
        return not self.holder

    @property
    def attempt(self) -> int:
        """Which attempt of the current continuation this is, or was the last; from 1."""
        return self.attempts - self.earlier_attempts

    def taken_by(self, holder: str) -> Row:
        """Return the row as it is once `holder` has taken the run."""
        return replace(self, holder=holder, attempts=self.attempts + (0 if self.is_untaken else 1))

    @property
    def envelope(self) -> Envelope:
        """The event that the run works for, dated no later than its acceptance."""
        return Envelope.parse(self.event)

    def as_dict(self) -> dict[str, Any]:
        """Return what `nightshift runs --json` shows of it."""
        run = {"run_id": str(self.id), "generation": self.id.generation}
        return run | {name: getattr(self, name) for name in _SHOWN}


class Ledger:
    """The table, through one client."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, run: RunId) -> Row | None:
        """Return the row of `run`, read consistently, or None."""
        answer = self._client.get_item(TableName=self._table, Key=_key(run), ConsistentRead=True)
        return row_of(answer["Item"]) if "Item" in answer else None

    def create(self, row: Row) -> Row | None:
        """Write `row` if its run has none. Return None when written, else the row that was there before."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item=_item(row),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return row_of(_refused_by(refused))
        return None

    def take(self, row: Row, *, holder: str, lease: datetime) -> bool:
        """Make `holder` the worker of a run whose last one let go or died; False if somebody else was faster."""
        values = {
            "status": "running",
            "attempts": row.taken_by(holder).attempts,
            "holder": holder,
            "lease": clock.milliseconds(lease),
            "started_at": row.started_at or clock.isoformat(clock.now()),
        }
        return self._update(row.id, values, given={"status": row.status, "lease": row.lease, "holder": row.holder})

    def release(self, run: RunId, *, holder: str, error: dict[str, Any]) -> bool:
        """Note why `holder`'s attempt failed and let go of the run, to be taken for the next attempt."""
        return self._update(run, {"lease": 0, "error": error}, given={"holder": holder})

    def go_on(self, row: Row, *, holder: str, cursor: Any) -> bool:
        """Let go of the run at `cursor`: its next continuation starts there, with all its attempts."""
        values = {
            "lease": 0,
            "holder": "",
            "earlier_attempts": row.attempts - 1,
            "continuation": row.continuation + 1,
            "cursor": {"at": cursor},
        }
        return self._update(row.id, values, given={"holder": holder, "status": "running"})

    def start(self, run: RunId) -> bool:
        """Note that an accepted run's execution was started; False if that (or its end) is noted already."""
        values = {"status": "running", "started_at": clock.isoformat(clock.now()), "attempts": 1}
        return self._update(run, values, given={"status": "accepted"})

    def complete(self, run: RunId, *, output: Any, holder: str | None = None, at: datetime | None = None) -> bool:
        """End the run well. False if it had ended, or `holder` is no longer its worker."""
        values = {"status": "completed", "output": _bounded(output), "ended_at": clock.isoformat(at or clock.now())}
        return self._end(run, values, holder)

    def fail(
        self,
        run: RunId,
        *,
        error: dict[str, Any],
        holder: str | None = None,
        status: Literal["failed", "cancelled"] = "failed",
        at: datetime | None = None,
    ) -> bool:
        """End the run badly, with its failure still to be told. False as for `complete`."""
        values = {
            "status": status,
            "error": error,
            "ended_at": clock.isoformat(at or clock.now()),
            "failure": "pending",
        }
        return self._end(run, values, holder)

    def failure_handled(self, run: RunId) -> bool:
        """Note that the failure was told to everybody who is to know."""
        return self._update(run, {"failure": "handled"}, given={"failure": "pending"})

    def _end(self, run: RunId, values: dict[str, Any], holder: str | None) -> bool:
        given: dict[str, Any] = {"status": OPEN}
        if holder is not None:
            given["holder"] = holder
        done_with = {"open_shard", "lease", "holder", "cursor", "error"} - values.keys()
        return self._update(run, values, given=given, remove=tuple(sorted(done_with)))

    def _update(
        self, run: RunId, values: dict[str, Any], *, given: dict[str, Any], remove: tuple[str, ...] = ()
    ) -> bool:
        """Set `values` and drop `remove` where the row is as `given` says (a tuple: any of them).

        Return whether the row holds `values` now. A write that is refused may be our own: its answer was lost, and the
        client asked again.
        """
        names = {f"#{name}": name for name in (*values, *given, *remove)}
        attributes = {f":{name}": _attribute(name, value) for name, value in values.items()}
        conditions = []
        for name, expected in given.items():
            allowed = expected if isinstance(expected, tuple) else (expected,)
            places = [f":given_{name}_{number}" for number in range(len(allowed))]
            attributes |= {place: _attribute(name, value) for place, value in zip(places, allowed, strict=True)}
            conditions.append(f"#{name} IN ({', '.join(places)})")
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            update += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(run),
                UpdateExpression=update,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=attributes,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            found = _refused_by(refused)
            return all(found.get(name) == attributes[f":{name}"] for name in values)
        return True


_SHOWN: Final = (
    "function", "status", "event_id", "event_name", "accepted_at", "started_at", "ended_at", "attempts", "output",
    "error",
)  # fmt: skip
_JSON = {"cursor", "output", "error"}  # attributes that hold JSON as text
_NUMBERS = {"attempts", "earlier_attempts", "continuation", "lease"}
_TEXTS = {
    "function", "status", "event_id", "event_name", "event", "accepted_at", "started_at", "ended_at", "holder",
    "failure",
}  # fmt: skip


def row_of(item: Mapping[str, Attribute]) -> Row:
    """Return the row that a DynamoDB item holds."""
    values: dict[str, Any] = {name: item[name]["S"] for name in _TEXTS if name in item}
    values |= {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
    values |= {name: json.loads(item[name]["S"]) for name in _JSON if name in item}
    values["cursor"] = (values.get("cursor") or {}).get("at")
    return Row(id=RunId(item["pk"]["S"].removeprefix("run#"), int(item["sk"]["N"])), **values)


def _refused_by(error: ClientError) -> Mapping[str, Attribute]:
    """Return the item whose state refused a conditional write; empty where there is none."""
    item: Mapping[str, Attribute] = cast("dict[str, Any]", error.response).get("Item", {})  # not in its type
    return item


def _item(row: Row) -> dict[str, Attribute]:
    expires = int(datetime.fromisoformat(row.accepted_at).timestamp() + KEPT.total_seconds())
    item = _key(row.id) | {
        "function_day": {"S": f"{row.function}#{row.accepted_at[:10]}"},
        "expires": {"N": str(expires)},
    }
    if row.is_open:
        item["open_shard"] = {"S": f"open#{row.id.uuid[0]}"}  # 16 shards: one key would be one partition's load
    for name in sorted(_TEXTS | _NUMBERS | _JSON - {"cursor"}):
        value = getattr(row, name)
        if value not in (None, "", 0):
            item[name] = _attribute(name, value)
    return item


def _key(run: RunId) -> dict[str, Attribute]:
    return {"pk": {"S": f"run#{run.uuid}"}, "sk": {"N": str(run.generation)}}


def _attribute(name: str, value: Any) -> Attribute:
    if name in _NUMBERS:
        return {"N": str(value)}
    return {"S": canonical_json(value) if name in _JSON else value}


def _bounded(output: Any) -> Any:
    """Return `output`, or why it is not kept."""
    size = len(canonical_json(output).encode())
    return output if size <= VALUE_LIMIT else {"omitted": f"{size} bytes are over the limit of {VALUE_LIMIT}"}


def ledger() -> Ledger:
    """Return the ledger of this process's stack."""
    return Ledger(aws.client("dynamodb"), settings().ledger_table)
