"""What an SQS message is: as its queue keeps it, and as one receive hands it out."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

SENDER_ID = "AIDAIT2UOQQY3AUEKVGXU"

State = Literal["ready", "in flight", "delayed", "gone"]


@dataclass(frozen=True)
class ReceivedMessage:
    """One message as one receive saw it; names and units are those of SQS.

    `message_attributes` has SQS's shape, `{name: {"DataType", "StringValue" | "BinaryValue"}}`.
    """

    message_id: str
    receipt_handle: str
    body: str
    attributes: dict[str, str]
    message_attributes: dict[str, dict[str, Any]]
    md5_of_body: str


@dataclass(eq=False, slots=True)
class QueuedMessage:
    """A message and where it stands; only its queue changes it, under the queue's lock."""

    body: str
    message_attributes: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    group_id: str | None = None
    trace_header: str | None = None
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent_at: float = 0.0
    received_at: float = 0.0
    first_received_at: float | None = None
    receive_count: int = 0
    receipt_handle: str | None = None
    source_arn: str | None = None
    state: State = "gone"
    ticket: int = 0

    def as_received(self) -> ReceivedMessage:
        """Return what the receive that just happened answers."""
        assert self.receipt_handle is not None, "received messages have a handle"
        return ReceivedMessage(
            message_id=self.message_id,
            receipt_handle=self.receipt_handle,
            body=self.body,
            attributes=self._attributes(),
            message_attributes=dict(self.message_attributes),
            md5_of_body=md5_of(self.body),
        )

    def _attributes(self) -> dict[str, str]:
        attributes = {
            "SenderId": SENDER_ID,
            "SentTimestamp": str(int(self.sent_at * 1000)),
            "ApproximateReceiveCount": str(self.receive_count),
            "ApproximateFirstReceiveTimestamp": str(int((self.first_received_at or 0) * 1000)),
        }
        if self.group_id is not None:
            attributes["MessageGroupId"] = self.group_id
        if self.trace_header is not None:
            attributes["AWSTraceHeader"] = self.trace_header
        if self.source_arn is not None:
            attributes["DeadLetterQueueSourceArn"] = self.source_arn
        return attributes


def md5_of(body: str) -> str:
    """Return the digest by which an SDK checks what it received; it guards nothing else."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
