"""The ledger: one DynamoDB row per run, written so that two workers never both believe that a run is theirs.

Every write is conditional. A row is created before any work starts; while a worker has the run, the row names it
(`holder`) and says until when (`lease`, ms since 1970: the end of its Lambda call). A worker whose lease has run out
is dead or has been ended by Lambda, so another may take the run. An unfinished row stands in the sparse index `open`
under the time at which the reconciler is to look at it: when what should happen next should long have happened.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from shared import aws, clock
from shared.engine.row import OPEN, Row, attribute_of, item_of, key_of, open_shard, row_of
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from shared.engine.identity import RunId

CHECK_AFTER: Final = timedelta(minutes=5)  # how long what should happen may be late before the reconciler looks

_OVER: Final = ("check_at", "holder", "lease", "open_shard")  # what a row of which nothing is expected does without


class Ledger:
    """The table, through one client."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def get(self, run: RunId) -> Row | None:
        """Return the row of `run`, read consistently, or None."""
        answer = self._client.get_item(TableName=self._table, Key=key_of(run), ConsistentRead=True)
        return row_of(answer["Item"]) if "Item" in answer else None

    def newest(self, run: RunId) -> Row | None:
        """Return the row of the last generation of `run`'s function and event, read consistently, or None."""
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :run",
            ExpressionAttributeValues={":run": key_of(run)["pk"]},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return row_of(answer["Items"][0]) if answer["Items"] else None

    def create(self, row: Row) -> Row | None:
        """Write `row` if its run has none. Return None when written, else the row that was there before."""
        item = item_of(row)
        if row.is_unfinished:
            item["check_at"] = {"S": check_after(max(clock.now(), clock.at_milliseconds(row.lease)))}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return row_of(aws.refused_item(refused))
        return None

    # --- a worker's hold on a run ---

    def hold(self, row: Row, *, holder: str, lease: datetime) -> bool:
        """Make `holder` the one that admits an accepted run; False if somebody else was faster."""
        return self._update(row.id, _held(holder, lease), given=_as_it_is(row))

    def take(self, row: Row, *, holder: str, lease: datetime) -> bool:
        """Make `holder` the worker of a run that nobody has any longer; False if somebody else was faster."""
        values = _held(holder, lease) | {
            "status": "running",
            "attempts": row.taken_by(holder).attempts,
            "started_at": row.started_at or clock.isoformat(clock.now()),
        }
        return self._update(row.id, values, given=_as_it_is(row))

    def release(self, run: RunId, *, holder: str, error: dict[str, Any], seconds: float) -> bool:
        """Note why `holder`'s attempt failed and let go of the run, whose next attempt is `seconds` away."""
        values = {"lease": 0, "error": error, "check_at": check_after(clock.now() + timedelta(seconds=seconds))}
        return self._update(run, values, given={"holder": holder})

    def go_on(self, row: Row, *, holder: str, cursor: Any) -> bool:
        """Let go of the run at `cursor`: its next continuation starts there, with all its attempts."""
        values = {
            "lease": 0,
            "holder": "",
            "earlier_attempts": row.attempts - 1,
            "continuation": row.continuation + 1,
            "cursor": {"at": cursor},
            "check_at": check_after(clock.now()),
        }
        return self._update(row.id, values, given={"holder": holder, "status": "running"})

    def wait(self, row: Row, *, holder: str, until: datetime) -> bool:
        """Let go of the run until its slot; waiting costs no attempt."""
        values = {
            "status": "waiting",
            "slot": clock.milliseconds(until),
            "waits": row.waits + 1,
            "lease": 0,
            "holder": "",
            "check_at": check_after(until),
        }
        return self._update(row.id, values, given={"holder": holder, "status": OPEN})

    def start(self, run: RunId) -> bool:
        """Note that an admitted run's execution was started; False if that (or its end) is noted already."""
        now = clock.now()
        values = {
            "status": "running",
            "started_at": clock.isoformat(now),
            "attempts": 1,
            "lease": 0,
            "check_at": check_after(now),
        }
        return self._update(run, values, given={"status": ("accepted", "waiting")})

    # --- ends ---

    def complete(
        self,
        run: RunId,
        *,
        output: Any,
        holder: str | None = None,
        started: datetime | None = None,
        at: datetime | None = None,
    ) -> bool:
        """End the run well. False if it had ended, or `holder` is no longer its worker.

        `started` is given where somebody else knows when the run started: the worker that should have noted it may be
        dead, or late.
        """
        return self._end(run, {"status": "completed", "output": output}, holder, started, at)

    def skip(self, run: RunId, *, error: dict[str, Any], holder: str | None = None) -> bool:
        """End a run that a policy lets not start, without any news of it. False as for `complete`."""
        return self._end(run, {"status": "skipped", "error": error}, holder, None, None)

    def fail(
        self,
        run: RunId,
        *,
        error: dict[str, Any],
        holder: str | None = None,
        status: Literal["failed", "cancelled"] = "failed",
        started: datetime | None = None,
        at: datetime | None = None,
    ) -> bool:
        """End the run badly, with its failure still to be told. Answer and `started` as for `complete`."""
        return self._end(run, {"status": status, "error": error, "failure": "pending"}, holder, started, at)

    def take_failure(self, row: Row, *, holder: str, lease: datetime) -> bool:
        """Make `holder` the worker that tells of a bad end; False if somebody else was faster.

        It is another attempt of `on_failure` if that is what comes next. A row that was given up is looked at again.
        """
        attempts = row.failure_attempts + (1 if row.failure == "told" else 0)
        values = _held(holder, lease) | {"failure_attempts": attempts, "open_shard": open_shard(row.id.uuid)}
        return self._update(
            row.id, values, given={"failure": row.failure, "failure_attempts": row.failure_attempts, "lease": row.lease}
        )

    def failure_told(self, run: RunId, *, holder: str) -> bool:
        """Note that the dead-letter queue and the bus know of a bad end: the first attempt of `on_failure` begins."""
        return self._update(run, {"failure": "told", "failure_attempts": 1}, given={"holder": holder})

    def release_failure(self, run: RunId, *, holder: str, seconds: float) -> bool:
        """Let go of a bad end whose `on_failure` is to be tried again in `seconds`."""
        values = {"lease": 0, "check_at": check_after(clock.now() + timedelta(seconds=seconds))}
        return self._update(run, values, given={"holder": holder})

    def failure_handled(self, run: RunId, *, holder: str | None = None) -> bool:
        """Note that the bad end was told to everybody who is to know: the run is over and done with."""
        given: dict[str, Any] = {"failure": ("pending", "told")} | ({"holder": holder} if holder else {})
        return self._update(run, {"failure": "handled"}, given=given, remove=_OVER)

    def failure_given_up(self, run: RunId) -> bool:
        """Note that `on_failure` cannot be called: nobody tries again, unless a person sends the message back."""
        return self._update(run, {"failure_attempts": 0}, given={"failure": ("pending", "told")}, remove=_OVER)

    def _end(
        self, run: RunId, values: dict[str, Any], holder: str | None, started: datetime | None, at: datetime | None
    ) -> bool:
        now = clock.now()
        if started is not None:
            values |= {"started_at": clock.isoformat(started), "attempts": 1}
        values["ended_at"] = clock.isoformat(at or now)
        done_with = {"cursor", "error", "holder", "lease", "slot"} - values.keys()
        if "failure" in values:
            values["check_at"] = check_after(now)
        else:
            done_with |= {"check_at", "open_shard"}
        given = {"status": OPEN} | ({"holder": holder} if holder is not None else {})
        return self._update(run, values, given=given, remove=tuple(sorted(done_with)))

    def _update(
        self, run: RunId, values: dict[str, Any], *, given: Mapping[str, Any], remove: tuple[str, ...] = ()
    ) -> bool:
        """Set `values` and drop `remove` where the row is as `given` says (a tuple: any of them; 0 or "": or nothing).

        Return whether the row holds `values` now. A write that is refused may be our own: its answer was lost, and the
        client asked again.
        """
        names = {f"#{name}": name for name in (*values, *given, *remove)}
        attributes = {f":{name}": attribute_of(name, value) for name, value in values.items()}
        conditions = []
        for name, expected in given.items():
            allowed = expected if isinstance(expected, tuple) else (expected,)
            places = [f":given_{name}_{number}" for number in range(len(allowed))]
            attributes |= {place: attribute_of(name, value) for place, value in zip(places, allowed, strict=True)}
            condition = f"#{name} IN ({', '.join(places)})"
            conditions.append(condition if expected else f"({condition} OR attribute_not_exists(#{name}))")
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in values)
        if remove:
            update += " REMOVE " + ", ".join(f"#{name}" for name in remove)
        try:
            self._client.update_item(
                TableName=self._table,
                Key=key_of(run),
                UpdateExpression=update,
                ConditionExpression=" AND ".join(conditions),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=attributes,
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            found = aws.refused_item(refused)
            return all(found.get(name) == attributes[f":{name}"] for name in values)
        return True


def check_after(moment: datetime) -> str:
    """Return when the reconciler is to look at a row of which something should have happened by `moment`."""
    return clock.isoformat(moment + CHECK_AFTER)


def _held(holder: str, lease: datetime) -> dict[str, Any]:
    return {"holder": holder, "lease": clock.milliseconds(lease), "check_at": check_after(lease)}


def _as_it_is(row: Row) -> dict[str, Any]:
    return {"status": row.status, "lease": row.lease, "holder": row.holder}


def ledger() -> Ledger:
    """Return the ledger of this process's stack."""
    return Ledger(aws.client("dynamodb"), settings().ledger_table)
