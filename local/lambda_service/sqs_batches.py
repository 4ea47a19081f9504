"""The SQS event that a function receives, and what its answer says about each message of it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from local.aws.messages import ReceivedMessage

MAXIMUM_EVENT_BYTES = 6 * 1024 * 1024
HEAD, TAIL = b'{"Records":[', b"]}"


@dataclass(frozen=True)
class Batch:
    """The messages of one call and the event that carries them."""

    messages: tuple[ReceivedMessage, ...]
    event: bytes


def record(message: ReceivedMessage, queue_arn: str, region: str) -> bytes:
    """One message as an element of the event's `Records`."""
    document = {
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": message.attributes,
        "messageAttributes": {name: _message_attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def split(messages: Sequence[ReceivedMessage], records: Sequence[bytes]) -> Iterator[Batch]:
    """As few batches as fit into a call each: ten messages of 1 MB are more than one payload holds."""
    chosen: list[int] = []
    size = len(HEAD) + len(TAIL)
    for index, encoded in enumerate(records):
        if chosen and size + len(encoded) + 1 > MAXIMUM_EVENT_BYTES:
            yield _batch(messages, records, chosen)
            chosen, size = [], len(HEAD) + len(TAIL)
        chosen.append(index)
        size += len(encoded) + 1
    if chosen:
        yield _batch(messages, records, chosen)


def failed_message_ids(response: bytes, message_ids: AbstractSet[str]) -> set[str]:
    """Which messages of a batch a partial batch response reports as failed.

    All succeeded: null, an empty response, no list of failures, an empty or null one. All failed: what is no JSON
    or no object, and any entry whose `itemIdentifier` is missing, empty or not a message of the batch.
    """
    everything = set(message_ids)
    try:
        document = json.loads(response)
    except ValueError:
        return everything
    if document in (None, "", [], {}):
        return set()
    failures = (document.get("batchItemFailures") or []) if isinstance(document, dict) else [document]
    failed = {_identifier(failure) for failure in failures} if isinstance(failures, list) else {None}
    return {identifier for identifier in failed if identifier} if failed <= everything else everything


def _identifier(failure: object) -> str | None:
    identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
    return identifier if isinstance(identifier, str) else None


def _batch(messages: Sequence[ReceivedMessage], records: Sequence[bytes], chosen: Sequence[int]) -> Batch:
    event = HEAD + b",".join(records[index] for index in chosen) + TAIL
    return Batch(tuple(messages[index] for index in chosen), event)


def _message_attribute(value: dict[str, Any]) -> dict[str, Any]:
    """SQS's shape of a message attribute in the spelling of Lambda's event."""
    attribute: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        binary = value["BinaryValue"]
        attribute["binaryValue"] = base64.b64encode(binary).decode() if isinstance(binary, bytes) else binary
    return attribute
