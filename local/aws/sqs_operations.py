"""Answer SQS's operations on messages: what moto's wire calls, with SQS's checks and limits.

Each function replaces the method of its name in moto 5.2.5's `SQSBackend`, where it is called
with the backend as `self`; the responses that moto makes of what it answers stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any

from moto.sqs import models as sqs
from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MissingParameter,
    SQSException,
    TooManyEntriesInBatchRequest,
)

from local.aws.messages import SENDER_ID, QueuedMessage, ReceivedMessage, md5_of
from local.aws.standard_queue import MAXIMUM_VISIBILITY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAXIMUM_BYTES = 1_048_576  # of a message and of a batch, bodies and attributes together
MAXIMUM_DELAY = 900

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUP_ID = re.compile(r"[\x21-\x7e]{1,128}")
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

_original_create_queue = sqs.SQSBackend.create_queue
_original_delete_queue = sqs.SQSBackend.delete_queue
_original_list_queues = sqs.SQSBackend.list_queues
_original_set_queue_attributes = sqs.SQSBackend.set_queue_attributes
_queues_lock = RLock()


@dataclass(eq=False)
class WireMessage:
    """What moto's responses read of a message.

    moto 5.2.5: `Message` inherits a `__new__` that keeps every instance for ever, so it cannot
    be used here; its digest of the attributes can.
    """

    id: str
    body: str
    message_attributes: Mapping[str, dict[str, Any]]
    receipt_handle: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    user_id: str | None = None  # the id of its entry in a batch
    sender_id: str = SENDER_ID
    sequence_number: None = None
    deduplication_id: None = None

    attribute_md5 = sqs.Message.attribute_md5
    validate_attribute_name = staticmethod(sqs.Message.validate_attribute_name)
    update_binary_length_and_value = staticmethod(sqs.Message.update_binary_length_and_value)
    utf8 = staticmethod(sqs.Message.utf8)

    def __post_init__(self) -> None:
        self.body_md5 = md5_of(self.body)
        self.sent_timestamp = self.attributes.get("SentTimestamp")
        self.approximate_receive_count = self.attributes.get("ApproximateReceiveCount")
        first = self.attributes.get("ApproximateFirstReceiveTimestamp")
        self.approximate_first_receive_timestamp = first
        self.group_id = self.attributes.get("MessageGroupId")
        trace = self.attributes.get("AWSTraceHeader")
        self.system_attributes = {"AWSTraceHeader": {"StringValue": trace}} if trace else {}


def check_message(message: QueuedMessage, delay: float, maximum_bytes: int) -> None:
    """Raise SQS's error for a message that SQS would refuse."""
    if not message.body:
        raise MissingParameter("MessageBody")
    if _size(message) > maximum_bytes:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {maximum_bytes} bytes."
        )
    if _FORBIDDEN.search(message.body):
        raise SQSException(
            "InvalidMessageContents",
            "The message body holds characters outside of the allowed set.",
        )
    if not 0 <= delay <= MAXIMUM_DELAY:
        raise InvalidParameterValue(
            f"Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be "
            f">= 0 and <= {MAXIMUM_DELAY}."
        )
    if message.group_id is not None and not _GROUP_ID.fullmatch(message.group_id):
        raise InvalidParameterValue(
            f"Value {message.group_id} for parameter MessageGroupId is invalid. Reason: "
            "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in "
            "length."
        )


def _size(message: QueuedMessage) -> int:
    size = len(message.body.encode(errors="surrogatepass"))
    for name, value in message.message_attributes.items():
        size += len(name.encode()) + len(value["DataType"].encode())
        size += len(value.get("StringValue", "").encode())
        size += len(value.get("BinaryValue", b""))
    return size


def _create_queue(self: Any, name: str, tags: Any = None, **attributes: Any) -> Any:
    """Create once: moto 5.2.5 checks and stores without a lock, so two callers lose a queue."""
    if name.endswith(".fifo") or str(attributes.get("FifoQueue", "false")).lower() == "true":
        raise SQSException(
            "AWS.SimpleQueueService.UnsupportedOperation",
            f"{name}: the local stack has standard queues only.",
        )
    with _queues_lock:
        return _original_create_queue(self, name, tags, **attributes)


def _delete_queue(self: Any, queue_name: str) -> None:
    """Delete, and let go whoever waits for a message of it."""
    with _queues_lock:
        queue = self.get_queue(queue_name)
        _original_delete_queue(self, queue_name)
    queue.close()


def _list_queues(self: Any, queue_name_prefix: str) -> Any:
    with _queues_lock:
        return _original_list_queues(self, queue_name_prefix)


def _set_queue_attributes(self: Any, queue_name: str, attributes: dict[str, Any]) -> Any:
    with _queues_lock:
        return _original_set_queue_attributes(self, queue_name, attributes)


def _send_message(  # noqa: PLR0913, PLR0917  # the signature is moto's
    self: Any,
    queue_name: str,
    message_body: str,
    message_attributes: dict[str, Any] | None = None,
    delay_seconds: int | None = None,
    deduplication_id: str | None = None,
    group_id: str | None = None,
    system_attributes: dict[str, Any] | None = None,
    **_: Any,
) -> WireMessage:
    if deduplication_id is not None:
        raise InvalidParameterValue(
            f"Value {deduplication_id} for parameter MessageDeduplicationId is invalid. Reason: "
            "The request includes a parameter that is not valid for this queue type."
        )
    trace = (system_attributes or {}).get("AWSTraceHeader", {}).get("StringValue")
    message = QueuedMessage(message_body, message_attributes or {}, group_id, trace)
    self.get_queue(queue_name).accept(message, delay_seconds)
    return WireMessage(message.message_id, message.body, message.message_attributes)


def _send_message_batch(
    self: Any, queue_name: str, entries: dict[str, dict[str, Any]]
) -> tuple[list[WireMessage], list[dict[str, Any]]]:
    """Send each entry by itself: moto 5.2.5 counts characters, and fails all for one of them."""
    self.get_queue(queue_name)
    _check_batch(list(entries.values()))
    sent, failed = [], []
    for entry in entries.values():
        try:
            message = _send_message(
                self,
                queue_name,
                entry["MessageBody"],
                entry.get("MessageAttributes"),
                entry.get("DelaySeconds"),
                entry.get("MessageDeduplicationId"),
                entry.get("MessageGroupId"),
                entry.get("MessageSystemAttributes"),
            )
        except SQSException as error:
            failed.append(_failure(entry["Id"], error))
        else:
            message.user_id = entry["Id"]
            sent.append(message)
    return sent, failed


def _check_batch(entries: list[dict[str, Any]]) -> None:
    if len(entries) > 10:
        raise TooManyEntriesInBatchRequest(len(entries))
    seen: set[str] = set()
    for entry in entries:
        if not _ENTRY_ID.fullmatch(entry["Id"]):
            raise InvalidBatchEntryId
        if entry["Id"] in seen:
            raise BatchEntryIdsNotDistinct(entry["Id"])
        seen.add(entry["Id"])
    size = sum(_size(QueuedMessage(entry["MessageBody"], entry.get("MessageAttributes") or {})) for entry in entries)
    if size > MAXIMUM_BYTES:
        raise BatchRequestTooLong(size)


def _receive_message(
    self: Any,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[WireMessage]:
    _check_visibility(visibility_timeout)
    received: list[ReceivedMessage] = self.get_queue(queue_name).poll(count, wait_seconds_timeout, visibility_timeout)
    answer = []
    for message in received:
        wire = WireMessage(
            message.message_id,
            message.body,
            message.message_attributes,
            message.receipt_handle,
            message.attributes,
        )
        sqs._filter_message_attributes(wire, message_attribute_names or [])  # noqa: SLF001  # moto's
        answer.append(wire)
    return answer


def _change_message_visibility(self: Any, queue_name: str, receipt_handle: str, visibility_timeout: int) -> None:
    _check_visibility(visibility_timeout)
    self.get_queue(queue_name).change_visibility(receipt_handle, visibility_timeout)


def _change_message_visibility_batch(
    self: Any, queue_name: str, entries: list[dict[str, Any]]
) -> tuple[list[str], list[dict[str, Any]]]:
    succeeded, failed = [], []
    for entry in entries:
        try:
            _change_message_visibility(self, queue_name, entry["ReceiptHandle"], int(entry.get("VisibilityTimeout", 0)))
        except SQSException as error:
            failed.append(_failure(entry["Id"], error))
        else:
            succeeded.append(entry["Id"])
    return succeeded, failed


def _check_visibility(seconds: int) -> None:
    if not 0 <= seconds <= MAXIMUM_VISIBILITY:
        raise InvalidParameterValue(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Must be between "
            f"0 and {MAXIMUM_VISIBILITY}."
        )


def _purge_queue(self: Any, queue_name: str) -> None:
    self.get_queue(queue_name).purge()


def _failure(entry_id: str, error: Any) -> dict[str, Any]:
    return {
        "Id": entry_id,
        "SenderFault": True,
        "Code": error.code,
        "Message": str(error.message),
    }


REPLACED: Mapping[str, Callable[..., Any]] = {
    "create_queue": _create_queue,
    "delete_queue": _delete_queue,
    "list_queues": _list_queues,
    "set_queue_attributes": _set_queue_attributes,
    "send_message": _send_message,
    "send_message_batch": _send_message_batch,
    "receive_message": _receive_message,
    "change_message_visibility": _change_message_visibility,
    "change_message_visibility_batch": _change_message_visibility_batch,
    "purge_queue": _purge_queue,
}
