"""The records of once effects: one DynamoDB item each, which its first complete result closes for good.

The items have the layout of Powertools' idempotency (`id`, `status`, `expiration` in s, `in_progress_expiration` in
ms, `data`), with `holder` beside it: https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/.
Powertools' own layer writes its ends unconditionally, so that a worker that comes back late overwrites the result of
the one that replaced it, or removes it and the effect happens again. Here every write is conditional.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from shared import aws, clock
from shared.observability import logger
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

KEPT: Final = timedelta(days=30)
_REASON_LIMIT: Final = 1_000  # characters

Status = Literal["INPROGRESS", "COMPLETED", "UNKNOWN", "UNREADABLE"]
_WRITTEN: Final[tuple[Status, ...]] = ("INPROGRESS", "COMPLETED", "UNKNOWN")


@dataclass(frozen=True)
class Record:
    """What is known of an effect; `UNREADABLE` is an item that this module did not write.

    `until` is the end of its worker's time in ms since 1970, `data` its result's JSON, `reason` why it is unknown.
    """

    status: Status
    holder: str = ""
    until: int = 0
    data: str = "null"
    reason: str = ""


UNREADABLE: Final = Record("UNREADABLE", reason="its record cannot be read")


class EffectRecords:
    """The table, through one client."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, key: str, *, holder: str, now: datetime, until: datetime, take_over: bool) -> Record | None:
        """Make the effect `holder`'s until `until`. Return None when it is, else the record that stands against it.

        A record past its 30 days counts as gone (DynamoDB removes it days later). With `take_over`, so does one whose
        worker is past its time.
        """
        condition = "attribute_not_exists(#id) OR #expiration < :now"
        names = {"#id": "id", "#expiration": "expiration"}
        values: dict[str, Attribute] = {":now": {"N": str(int(now.timestamp()))}}
        if take_over:
            condition += " OR (#status = :inprogress AND #until < :now_ms)"
            names |= {"#status": "status", "#until": "in_progress_expiration"}
            values |= {":inprogress": {"S": "INPROGRESS"}, ":now_ms": {"N": str(clock.milliseconds(now))}}
        try:
            answer = self._client.put_item(
                TableName=self._table,
                Item={
                    "id": {"S": key},
                    "status": {"S": "INPROGRESS"},
                    "holder": {"S": holder},
                    "in_progress_expiration": {"N": str(clock.milliseconds(until))},
                    "expiration": _expiration(now),
                },
                ConditionExpression=condition,
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            found = _refused_by(refused) or UNREADABLE
            # Our own: the first answer was lost, and the client asked again.
            return None if (found.status, found.holder) == ("INPROGRESS", holder) else found
        if answer.get("Attributes"):
            logger().warning("effect is begun again: its last worker did not come back", extra={"effect": key})
        return None

    def complete(self, key: str, *, holder: str, data: str) -> str:
        """Record that the effect is done with the result `data`; return the result that holds from now on.

        The first result stays: of two workers, because one was late and the other replaced it, both are answered the
        same. A worker that comes back to a record marked unknown resolves it.
        """
        changes = {"status": "COMPLETED", "holder": holder, "data": data}
        try:
            self._set(key, changes, given="attribute_not_exists(#id) OR #status <> :status", names={"#id": "id"})
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            found = _refused_by(refused)
            return found.data if found is not None and found.status == "COMPLETED" else data
        return data

    def mark_unknown(self, key: str, *, holder: str, reason: str) -> Record | None:
        """Record that nobody can say whether `holder` did the effect, if it still has it.

        Return the record that holds from now on, or None where there is none: the effect was not done.
        """
        values: dict[str, Attribute] = {":inprogress": {"S": "INPROGRESS"}, ":given": {"S": holder}}
        shown = reason[:_REASON_LIMIT].encode(errors="replace").decode()  # what is stored must be Unicode
        changes = {"status": "UNKNOWN", "holder": holder, "reason": shown}
        try:
            self._set(key, changes, given="#status = :inprogress AND #holder = :given", values=values)
        except self._client.exceptions.ConditionalCheckFailedException as refused:
            return _refused_by(refused)
        return Record("UNKNOWN", holder, reason=shown)

    def release(self, key: str, *, holder: str) -> None:
        """Remove `holder`'s record of an effect that was not done; leave it alone where it is not the holder's now."""
        try:
            self._client.delete_item(
                TableName=self._table,
                Key={"id": {"S": key}},
                ConditionExpression="#status = :inprogress AND #holder = :holder",
                ExpressionAttributeNames={"#status": "status", "#holder": "holder"},
                ExpressionAttributeValues={":inprogress": {"S": "INPROGRESS"}, ":holder": {"S": holder}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return  # taken over or marked by another, or removed by us: the first answer was lost

    def _set(
        self,
        key: str,
        changes: dict[str, str],
        *,
        given: str,
        names: dict[str, str] | None = None,
        values: dict[str, Attribute] | None = None,
    ) -> None:
        """Write the texts `changes` and a new expiration where the condition `given` holds."""
        attributes: dict[str, Attribute] = {f":{name}": {"S": text} for name, text in changes.items()}
        attributes[":expiration"] = _expiration(clock.now())
        self._client.update_item(
            TableName=self._table,
            Key={"id": {"S": key}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in (*changes, "expiration")),
            ConditionExpression=given,
            ExpressionAttributeNames={f"#{name}": name for name in (*changes, "expiration")} | (names or {}),
            ExpressionAttributeValues=attributes | (values or {}),
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )


def _expiration(now: datetime) -> Attribute:
    return {"N": str(int((now + KEPT).timestamp()))}


def _refused_by(error: ClientError) -> Record | None:
    """Return the record whose state refused a conditional write, or None when there is none."""
    item = aws.refused_item(error)
    return _record_of(item) if item else None


def _record_of(item: Mapping[str, Mapping[str, str]]) -> Record:
    try:
        status = next(written for written in _WRITTEN if written == item["status"]["S"])
        data = item["data"]["S"] if status == "COMPLETED" else "null"
        json.loads(data)
        until = int(item["in_progress_expiration"]["N"]) if status == "INPROGRESS" else 0
        return Record(status, item["holder"]["S"], until, data, item.get("reason", {}).get("S", ""))
    except (LookupError, ValueError, StopIteration):
        return UNREADABLE


def effect_records() -> EffectRecords:
    """Return the records of this process's stack."""
    return EffectRecords(aws.client("dynamodb"), settings().idempotency_table)
