"""One run as the ledger holds it, and as a DynamoDB item."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from shared.engine.envelope import Envelope, canonical_json
from shared.engine.identity import RunId

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef as Attribute

Status = Literal["accepted", "waiting", "running", "completed", "failed", "cancelled", "skipped"]
OPEN: Final[tuple[Status, ...]] = ("accepted", "waiting", "running")
STATUSES: Final[tuple[Status, ...]] = (*OPEN, "completed", "failed", "cancelled", "skipped")

KEPT: Final = timedelta(days=100)  # how long a row lives, and so how long a repeated event is recognized
SHARDS: Final = "0123456789abcdef"  # of the `open` index: one key would be one partition's load


@dataclass(frozen=True)
class Row:
    """One run. Times are RFC 3339 in UTC, `lease` and `slot` ms since 1970; `event` is the envelope's canonical JSON.

    `attempts` counts all attempts; going on in another call, or waiting, costs none. `earlier_attempts` are those that
    do not count against the current continuation's limit. `holder` is the worker that has the run, or had it last; it
    is empty while nobody has taken the current continuation. `slot` is when a waiting run may start. `error` says what
    went wrong last: `type`, `message`, and for an ended run `step` and `attempt` where they are known. `failure` says
    how far the news of a bad end has come: `pending` nobody knows, `told` the dead-letter queue and the bus know,
    `handled` so does `on_failure`.
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
    waits: int = 0
    cursor: Any = None
    lease: int = 0
    holder: str = ""
    slot: int = 0
    output: Any = None
    error: dict[str, Any] | None = None
    failure: Literal["pending", "told", "handled"] | None = None
    failure_attempts: int = 0

    @property
    def is_open(self) -> bool:
        """Whether the run has not ended."""
        return self.status in OPEN

    @property
    def is_unfinished(self) -> bool:
        """Whether something is still to be done for the run: its work, or the news of its bad end."""
        return self.is_open or self.failure in ("pending", "told")

    @property
    def is_untaken(self) -> bool:
        """Whether nobody has begun with the run, or with its current continuation."""
        return not self.holder

    @property
    def attempt(self) -> int:
        """Which attempt of the current continuation this is, or was the last; from 1."""
        return self.attempts - self.earlier_attempts

    def is_held(self, now: datetime) -> bool:
        """Return whether a worker has the run at `now`, as far as its lease says."""
        return self.lease > now.timestamp() * 1000

    def taken_by(self, holder: str) -> Row:
        """Return the row as it is once `holder` has taken the run for its next attempt."""
        goes_on = self.is_untaken and self.attempts > 0
        return replace(self, status="running", holder=holder, attempts=self.attempts + (0 if goes_on else 1))

    @property
    def envelope(self) -> Envelope:
        """The event that the run works for, dated no later than its acceptance."""
        return Envelope.parse(self.event)

    def asked_for_again(self) -> Envelope:
        """Return the event as the message that asks for the generation after this one."""
        return self.envelope.of_generation(self.id.generation + 1)

    def time_of(self, what: Literal["accepted", "started"]) -> datetime:
        """Return when the run was accepted, or started (or accepted, while it has not)."""
        text = self.accepted_at if what == "accepted" else self.started_at or self.accepted_at
        return datetime.fromisoformat(text).astimezone(UTC)

    def as_dict(self) -> dict[str, Any]:
        """Return what `nightshift runs --json` shows of it."""
        run = {"run_id": str(self.id), "generation": self.id.generation}
        return run | {name: getattr(self, name) for name in _SHOWN}


_SHOWN: Final = (
    "function", "status", "event_id", "event_name", "accepted_at", "started_at", "ended_at", "attempts", "output",
    "error",
)  # fmt: skip
_JSON = {"cursor", "output", "error"}  # attributes that hold JSON as text
_NUMBERS = {"attempts", "earlier_attempts", "continuation", "waits", "lease", "slot", "failure_attempts"}
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
    return Row(id=run_id_of(item), **values)


def run_id_of(item: Mapping[str, Attribute]) -> RunId:
    """Return the run whose key a DynamoDB item has."""
    return RunId(item["pk"]["S"].removeprefix("run#"), int(item["sk"]["N"]))


def item_of(row: Row) -> dict[str, Attribute]:
    """Return the item of a row that has not been written yet; an unfinished one is in the `open` index."""
    item = key_of(row.id) | {
        "function_day": {"S": f"{row.function}#{row.accepted_at[:10]}"},
        "expires": {"N": str(int((row.time_of("accepted") + KEPT).timestamp()))},
    }
    if row.is_unfinished:
        item["open_shard"] = {"S": open_shard(row.id.uuid)}
    for name in sorted(_TEXTS | _NUMBERS | _JSON - {"cursor"}):
        value = getattr(row, name)
        if value or (name in _JSON and value is not None):
            item[name] = attribute_of(name, value)
    return item


def key_of(run: RunId) -> dict[str, Attribute]:
    """Return the key of a run's item."""
    return {"pk": {"S": f"run#{run.uuid}"}, "sk": {"N": str(run.generation)}}


def open_shard(uuid: str) -> str:
    """Return the key of the `open` index under which what has this uuid stands."""
    return f"open#{uuid[0]}"


def attribute_of(name: str, value: Any) -> Attribute:
    """Return the attribute `name` of a row's item."""
    if name in _NUMBERS:
        return {"N": str(value)}
    return {"S": canonical_json(value) if name in _JSON else value}
