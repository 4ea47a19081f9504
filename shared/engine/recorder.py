"""Record what came over the bus, with the functions that should have reacted, so that a lost message is found.

An event is one item of the ledger's table: `pk` is `event#` and a UUID made from its name and id, `sk` its generation.
While it is not settled that each expected run has a row, the item stands in the `open` index as an unfinished run's row
does. A schedule's event, which never is on the bus, is recorded when it was due.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from uuid import NAMESPACE_URL, uuid5

from shared import aws, clock
from shared.engine.envelope import Envelope, canonical_json
from shared.engine.identity import RunId
from shared.engine.ledger import check_after
from shared.engine.payloads import slim
from shared.engine.row import KEPT, open_shard
from shared.registry import woken_by
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

PREFIX = "event#"


@dataclass(frozen=True)
class RecordedEvent:
    """One event. Times are RFC 3339 in UTC; `event` is the envelope's canonical JSON, `functions` who should react."""

    id: str
    generation: int
    name: str
    accepted_at: str
    event: str
    functions: tuple[str, ...]

    @classmethod
    def of(cls, envelope: Envelope, functions: Iterable[str], at: datetime) -> Self:
        """Return what is recorded of an event that came at `at`."""
        return cls(
            id=envelope.event_id,
            generation=envelope.detail.metadata.generation,
            name=envelope.name,
            accepted_at=clock.isoformat(at),
            event=slim(envelope).as_json(),
            functions=tuple(functions),
        )

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Self:
        """Return the event that a DynamoDB item holds."""
        return cls(
            id=item["event_id"]["S"],
            generation=int(item["sk"]["N"]),
            name=item["event_name"]["S"],
            accepted_at=item["accepted_at"]["S"],
            event=item["event"]["S"],
            functions=tuple(json.loads(item["functions"]["S"])),
        )

    @property
    def accepted(self) -> datetime:
        """When it came."""
        return datetime.fromisoformat(self.accepted_at).astimezone(UTC)

    @property
    def expected(self) -> dict[str, RunId]:
        """The run that each function should have for it, by the function's id."""
        return {function: RunId.of(function, self.id, self.generation) for function in self.functions}

    def as_item(self) -> dict[str, Attribute]:
        """Return its item; one that nobody reacts to is settled from the beginning."""
        # Not the id itself: one of 512 characters may be longer than a key, and events of two names may share it.
        uuid = str(uuid5(NAMESPACE_URL, canonical_json(["nightshift", self.name, self.id])))
        item: dict[str, Attribute] = {
            "pk": {"S": f"{PREFIX}{uuid}"},
            "sk": {"N": str(self.generation)},
            "event_id": {"S": self.id},
            "event_name": {"S": self.name},
            "accepted_at": {"S": self.accepted_at},
            "event": {"S": self.event},
            "functions": {"S": canonical_json(self.functions)},
            "expires": {"N": str(int((self.accepted + KEPT).timestamp()))},
        }
        if self.functions:
            item["open_shard"] = {"S": open_shard(uuid)}
            item["check_at"] = {"S": check_after(self.accepted)}
        return item


def record(envelope: Envelope, *, functions: Iterable[str] | None = None, at: datetime | None = None) -> bool:
    """Write an event that came just now, or `at`, for those that the registry or `functions` names.

    Return whether it was news.

    Raises:
        InvalidMessageError: it is too large beside its data.
    """
    expected = woken_by(envelope.name) if functions is None else functions
    client = aws.client("dynamodb")
    try:
        client.put_item(
            TableName=settings().ledger_table,
            Item=RecordedEvent.of(envelope, expected, at or clock.now()).as_item(),
            ConditionExpression="attribute_not_exists(pk)",
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True
