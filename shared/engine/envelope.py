"""The one form in which an event travels: on the bus, in an inbox and into a state machine.

It is EventBridge's own: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html, with
`detail` = `{"data": {…}, "metadata": {"id"?, "ts"?, "actor"?, "correlation_id"?, "generation"?, "payload"?}}`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, StrictInt, ValidationError
from pydantic_core import to_jsonable_python

from shared import clock
from shared.engine.errors import InvalidMessageError, describe_invalid

EVENT_NAME_LIMIT = 128  # characters; EventBridge's limit for detail-type
PAYLOAD_LIMIT = 25_000_000  # bytes of JSON: as Python's objects about ten times that, which a Lambda must hold


def _utc(time: datetime) -> datetime:
    """Return `time` in UTC; one without an offset is in UTC, whatever zone this machine is in."""
    try:
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("beyond the calendar") from None


UtcTime = Annotated[datetime, AfterValidator(_utc), PlainSerializer(clock.isoformat, return_type=str)]


class PayloadReference(BaseModel):
    """Which object of the payload bucket holds a value's canonical JSON: its SHA-256 in hex, and its size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: StrictInt = Field(gt=0, le=PAYLOAD_LIMIT)


class Metadata(BaseModel):
    """What is said about an event beside its data. Keys that are not known here travel on."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str | None = Field(default=None, min_length=1, max_length=512)
    ts: int | None = Field(default=None, ge=0, le=253_402_300_799_999)  # ms since 1970, up to the year 9999
    generation: int = Field(default=0, ge=0, le=999_999_999)
    payload: PayloadReference | None = None  # where the whole data is, when `data` is only what is short of it


class Detail(BaseModel):
    """EventBridge's `detail`: the sender's data and what is said about it."""

    model_config = ConfigDict(frozen=True)

    data: dict[str, Any]
    metadata: Metadata = Metadata()


class Envelope(BaseModel):
    """One event, as the bus, an inbox and an execution's input hold it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")

    name: str = Field(alias="detail-type", min_length=1, max_length=EVENT_NAME_LIMIT)
    source: str = Field(min_length=1)
    time: UtcTime
    id: str | None = None  # EventBridge's; an envelope that came another way has only its metadata.id
    detail: Detail

    @classmethod
    def parse(cls, body: str) -> Self:
        """Return the envelope that `body` holds as JSON.

        Raises:
            InvalidMessageError: it is not JSON, not an envelope, or has no id.
        """
        try:
            envelope = cls.model_validate_json(body)
            # It would be written as null, so that a run worked with another value than its event has.
            json.dumps((envelope.detail.data, envelope.detail.metadata.model_extra), allow_nan=False)
        except ValidationError as error:
            raise InvalidMessageError(f"not an event: {describe_invalid(error)}") from None
        except ValueError:
            raise InvalidMessageError("not an event: detail: NaN, or a number that is too large") from None
        if not (envelope.detail.metadata.id or envelope.id):
            raise InvalidMessageError("not an event: neither detail.metadata.id nor id")
        return envelope

    @classmethod
    def make(cls, name: str, data: dict[str, Any], *, event_id: str, source: str, time: datetime) -> Self:
        """Return the envelope of an event that has not travelled yet."""
        return cls(name=name, source=source, time=time, detail=Detail(data=data, metadata=Metadata(id=event_id)))

    @property
    def event_id(self) -> str:
        """The sender's id, else EventBridge's."""
        event_id = self.detail.metadata.id or self.id
        assert event_id, "parse and make see to it"
        return event_id

    @property
    def event_time(self) -> datetime:
        """When it happened, as the sender says: `metadata.ts`, else the envelope's time; in UTC."""
        if self.detail.metadata.ts is not None:
            return clock.at_milliseconds(self.detail.metadata.ts)
        return self.time

    def of_generation(self, generation: int) -> Self:
        """Return the same event as the message that asks for its `generation`-th replay."""
        return self._with(generation=generation)

    def not_after(self, moment: datetime) -> Self:
        """Return the event dated no later than `moment`.

        A run's work counts from its event's time; one that is dated ahead must not reach records of today.
        """
        if self.event_time <= moment:
            return self
        return self._with(ts=None).model_copy(update={"time": moment})

    def carrying(self, data: dict[str, Any], payload: PayloadReference | None) -> Self:
        """Return the same event with `data` in its place, and the reference to the whole of it."""
        metadata = self.detail.metadata.model_copy(update={"payload": payload})
        return self.model_copy(update={"detail": Detail(data=data, metadata=metadata)})

    def _with(self, **metadata: Any) -> Self:
        changed = self.detail.metadata.model_copy(update=metadata)
        return self.model_copy(update={"detail": self.detail.model_copy(update={"metadata": changed})})

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types. Defaults are left out, so the same event always gives the same dict."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    def as_json(self) -> str:
        """Return it as canonical JSON: sorted keys, no spaces."""
        return canonical_json(self.as_dict())


def json_value(value: Any) -> Any:
    """Return what an author's code answered as JSON types; models and dataclasses under the names that travel.

    Raises:
        ValueError: it has no JSON form that can be stored and sent (an object of an unknown type, broken Unicode).
    """
    plain = to_jsonable_python(value, by_alias=True, inf_nan_mode="null")
    canonical_json(plain).encode()
    return plain


def canonical_json(value: Any) -> str:
    """Return `value` as JSON that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
