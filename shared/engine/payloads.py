"""Large values travel by reference: what a message or a state cannot hold lies in the payload bucket instead.

A queue and the bus take 1 MB, an execution's input and state 256 KiB. An object's key is made from the SHA-256 of its
content, so writing a value again writes the same object (and makes it as young as its last use), and a reference that a
sender makes up reads nothing but what the sender knows already.
"""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import closing
from hashlib import sha256
from typing import Any, Final

from pydantic import ValidationError

from shared import aws
from shared.engine.envelope import PAYLOAD_LIMIT, Envelope, PayloadReference, canonical_json
from shared.engine.errors import InvalidMessageError, NonRetryableError, describe_invalid
from shared.settings import settings

LIMIT: Final = 200_000  # bytes of canonical JSON that travel as they are; a state's 256 KiB hold more than the value
SHORT_LIMIT: Final = 10_000  # bytes of an event's short fields that stay beside its reference
SHORT_TEXT: Final = 1_000  # characters of a text that is short
KEY: Final = "nightshift:payload"  # the one key of an object that is a reference
PREFIX: Final = "payloads/"


class PayloadLostError(NonRetryableError):
    """The payload bucket no longer has what a reference names, or has something else in its place."""


class PayloadTooLargeError(NonRetryableError):
    """A value is larger than anybody could read back."""


def outgoing(value: Any) -> Any:
    """Return `value`, a JSON value, or a reference to it when it has more than `LIMIT` bytes.

    A value that itself holds something like a reference is stored whatever its size, so that `incoming` gives back
    exactly what was given here.

    Raises:
        PayloadTooLargeError: it has more than `PAYLOAD_LIMIT` bytes.
    """
    text = canonical_json(value)
    content = text.encode()
    if len(content) <= LIMIT and KEY not in text:
        return value
    reference = _reference_to(content)
    _store(content, reference)
    return {KEY: reference.model_dump()}


def incoming(value: Any) -> Any:
    """Return `value` with every reference in it, at any depth, replaced by what it refers to.

    What is read is not searched for references again. Without a reference `value` itself is returned.

    Raises:
        InvalidMessageError: a reference is malformed, or all together have more than `PAYLOAD_LIMIT` bytes.
        PayloadLostError: the bucket does not have it.
    """
    references = _references_in(value)
    if not references:
        return value
    if (total := sum(reference.bytes for reference in references)) > PAYLOAD_LIMIT:
        raise InvalidMessageError(f"the payloads have {total} bytes, over the limit of {PAYLOAD_LIMIT}")
    return _resolved(value, {reference: _fetch(reference) for reference in set(references)})


def slim(envelope: Envelope) -> Envelope:
    """Return the event with its data in the bucket when it has more than `LIMIT` bytes, else the event itself.

    Its short fields (numbers, short texts) stay where they are as well, for whoever looks only at those: a rule's
    pattern, a state machine's expression. The same event always gives the same one.

    Raises:
        InvalidMessageError: it is too large even without its data.
        PayloadTooLargeError: its data has more than `PAYLOAD_LIMIT` bytes.
    """
    if (size := _size(envelope)) <= LIMIT:
        return envelope
    if envelope.detail.metadata.payload is not None:
        raise InvalidMessageError(f"the event has {size} bytes beside its payload, over the limit of {LIMIT}")
    data = envelope.as_dict()["detail"]["data"]
    content = canonical_json(data).encode()
    reference = _reference_to(content)
    slimmed = envelope.carrying(_short_fields(data), reference)
    if (size := _size(slimmed)) > LIMIT:
        raise InvalidMessageError(f"the event has {size} bytes beside its data, over the limit of {LIMIT}")
    _store(content, reference)
    return slimmed


def full(envelope: Envelope) -> Envelope:
    """Return the event with its data back in its place.

    Raises:
        InvalidMessageError: its payload is not an event's data.
        PayloadLostError: the bucket does not have it.
    """
    reference = envelope.detail.metadata.payload
    if reference is None:
        return envelope
    data = json.loads(_fetch(reference))
    if not isinstance(data, dict):
        raise InvalidMessageError("the event's payload is not an object")
    return envelope.carrying(data, None)


def _size(envelope: Envelope) -> int:
    return len(envelope.as_json().encode())


def _short_fields(data: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are not worth moving; none where there are very many of them."""
    short = {name: value for name, value in data.items() if _is_short(value)}
    return short if len(canonical_json(short).encode()) <= SHORT_LIMIT else {}


def _is_short(value: Any) -> bool:
    return len(value) <= SHORT_TEXT if isinstance(value, str) else not isinstance(value, dict | list)


def _references_in(value: Any) -> list[PayloadReference]:
    """Return every reference in `value`, once for each place. A stack of its own bears any depth."""
    found: list[PayloadReference] = []
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, list):
            left.extend(each)
        elif isinstance(each, dict):
            if KEY in each:
                found.append(_reference(each))
            else:
                left.extend(each.values())
    return found


def _resolved(value: Any, stored: dict[PayloadReference, bytes]) -> Any:
    if isinstance(value, list):
        return [_resolved(each, stored) for each in value]
    if not isinstance(value, dict):
        return value
    if KEY in value:
        return json.loads(stored[_reference(value)])  # each place its own objects: a step may change what it gets
    return {name: _resolved(each, stored) for name, each in value.items()}


def _reference(holder: dict[str, Any]) -> PayloadReference:
    if len(holder) != 1:
        raise InvalidMessageError(f"{KEY} stands beside other keys")
    try:
        return PayloadReference.model_validate(holder[KEY])
    except ValidationError as error:
        raise InvalidMessageError(f"{KEY}: {describe_invalid(error)}") from None


def _reference_to(content: bytes) -> PayloadReference:
    if len(content) > PAYLOAD_LIMIT:
        raise PayloadTooLargeError(f"a value has {len(content)} bytes, over the limit of {PAYLOAD_LIMIT}")
    return PayloadReference(sha256=sha256(content).hexdigest(), bytes=len(content))


def _store(content: bytes, reference: PayloadReference) -> None:
    """Write the object, also where it exists: its life in the bucket counts from its last writing."""
    aws.client("s3").put_object(
        Bucket=settings().payload_bucket,
        Key=PREFIX + reference.sha256,
        Body=content,
        ContentType="application/json",
        ChecksumSHA256=b64encode(bytes.fromhex(reference.sha256)).decode(),  # S3 refuses what arrives otherwise
    )


def _fetch(reference: PayloadReference) -> bytes:
    s3 = aws.client("s3")
    name = reference.sha256
    try:
        answer = s3.get_object(Bucket=settings().payload_bucket, Key=PREFIX + name)
    except s3.exceptions.NoSuchKey:
        raise PayloadLostError(f"the payload {name} is no longer there") from None
    with closing(answer["Body"]) as body:
        if (size := answer["ContentLength"]) != reference.bytes:
            raise InvalidMessageError(f"the payload {name} has {size} bytes, not {reference.bytes}")
        content = body.read()
    if sha256(content).hexdigest() != name:
        raise PayloadLostError(f"the payload {name} is not what was stored")
    return content
