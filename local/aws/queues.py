"""Give moto's SQS queues that lose nothing between threads and stay fast at any length."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from moto.sqs import models as sqs
from moto.sqs.exceptions import InvalidParameterValue, ReceiptHandleIsInvalid

from local.aws import sqs_operations
from local.aws.messages import QueuedMessage, ReceivedMessage
from local.aws.standard_queue import (
    NotInFlightError,
    ReceiptHandleError,
    Receive,
    StandardQueue,
    VisibilityLimitError,
)
from local.aws.time_scale import TimeScale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LocalQueue(sqs.Queue):  # type: ignore[misc]  # moto ships no types
    """A standard queue, for moto's wire and for the pollers in this process.

    moto 5.2.5: send, receive, delete and every count walk all messages of the queue (a send at
    2,000 messages takes 385 ms for ten), `delete_message` rebuilds the list without the lock
    (with 6 threads messages vanish and arrive twice), and every message ever sent stays in
    `instances_tracked`. The messages of this queue live in a StandardQueue instead.
    """

    time_scale: ClassVar[TimeScale] = TimeScale()

    def __init__(self, name: str, region: str, account_id: str, **attributes: Any) -> None:
        self._store = StandardQueue(self.time_scale)
        super().__init__(name, region, account_id, **attributes)

    def send(
        self,
        body: str,
        *,
        group_id: str | None = None,
        delay_seconds: float | None = None,
        message_attributes: Mapping[str, dict[str, Any]] | None = None,
    ) -> str:
        """Send a message within this process and return its id; SQS's limits hold."""
        message = QueuedMessage(body, message_attributes or {}, group_id)
        self.accept(message, delay_seconds)
        return message.message_id

    def accept(self, message: QueuedMessage, delay_seconds: float | None) -> None:
        """Check a message as SQS does and take it in; no delay means the queue's own."""
        delay = self.delay_seconds if delay_seconds is None else delay_seconds
        sqs_operations.check_message(message, delay, self.maximum_message_size)
        self._store.send(message, delay)

    def receive(self, max_messages: int, wait_seconds: float) -> list[ReceivedMessage]:
        """Return up to `max_messages`, waiting for the first; nothing once `close` was called."""
        return self.poll(max_messages, wait_seconds, self.visibility_timeout)

    def poll(self, max_messages: int, wait: float, visibility: float) -> list[ReceivedMessage]:
        """Receive with a visibility timeout of one's own; move what had its last receive."""
        deadline = time.monotonic() + wait
        while True:
            dead_letters = self._dead_letters()
            ask = Receive(
                max_messages,
                wait=max(0.0, deadline - time.monotonic()),
                visibility=visibility,
                retention=self.message_retention_period,
                max_receives=self.redrive_policy["maxReceiveCount"] if dead_letters else None,
            )
            received, dead = self._store.receive(ask)
            for message in dead:
                assert dead_letters is not None, "only a dead-letter queue makes messages dead"
                dead_letters.adopt(message, self.queue_arn)
            if received or not dead:
                return received

    def adopt(self, message: QueuedMessage, source_arn: str) -> None:
        """Take in what had its last receive in another queue, of which this one is the dead letters'."""
        self._store.adopt(message, source_arn)

    def delete(self, receipt_handle: str) -> None:
        """Delete a message; a handle that is not its newest succeeds and deletes nothing."""
        try:
            self._store.delete(receipt_handle)
        except ReceiptHandleError as error:
            raise ReceiptHandleIsInvalid from error

    def change_visibility(self, receipt_handle: str, seconds: float) -> None:
        """Hide a message in flight for `seconds` from now; 0 gives it back at once."""
        try:
            self._store.change_visibility(receipt_handle, seconds)
        except ReceiptHandleError as error:
            raise ReceiptHandleIsInvalid from error
        except NotInFlightError as error:
            raise InvalidParameterValue(
                f"Value {receipt_handle} for parameter ReceiptHandle is invalid. Reason: Message "
                "does not exist or is not available for visibility timeout change."
            ) from error
        except VisibilityLimitError as error:
            raise InvalidParameterValue(
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total "
                "VisibilityTimeout for the message is beyond the limit [43200 seconds]."
            ) from error

    def purge(self) -> None:
        """Forget every message."""
        self._store.purge()

    def close(self) -> None:
        """End the receives that wait; later ones do not wait."""
        self._store.close()

    def interrupt(self) -> None:
        """End the receives that wait now."""
        self._store.interrupt()

    def _dead_letters(self) -> LocalQueue | None:
        if not self.redrive_policy:
            return None
        try:
            return find_queue(self.redrive_policy["deadLetterTargetArn"])
        except LookupError:
            return None  # deleted since: the message stays where it is, as on AWS

    def delete_message(self, receipt_handle: str) -> None:
        """Stand in for moto's, which its backend calls."""
        self.delete(receipt_handle)

    @property
    def approximate_number_of_messages(self) -> int:
        """The messages that a receive could answer now."""
        return self._store.count("ready")

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        """The messages whose delay has not passed."""
        return self._store.count("delayed")

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        """The messages in flight."""
        return self._store.count("in flight")


def find_queue(arn: str) -> LocalQueue:
    """Return the queue of that ARN; raise LookupError when there is none."""
    match arn.split(":"):
        case ["arn", _, "sqs", region, account, name] if account in sqs.sqs_backends:
            queue = sqs.sqs_backends[account][region].queues.get(name)
            if isinstance(queue, LocalQueue):
                return queue
    raise LookupError(f"no queue {arn}")


def interrupt_polls() -> None:
    """End every receive that waits now, so that the threads that serve them can end."""
    for queue in list(_queues()):
        if isinstance(queue, LocalQueue):
            queue.interrupt()


def install(time_scale: TimeScale) -> None:
    """Make every queue that moto creates from now on a LocalQueue on this time scale.

    A queue keeps the scale that held when it was created; its attributes say nominal values.
    """
    LocalQueue.time_scale = time_scale
    _replace_moto_queues()


@cache
def _replace_moto_queues() -> None:
    if any(not isinstance(queue, LocalQueue) for queue in _queues()):
        raise RuntimeError("install the queues before the first queue is created")
    sqs.Queue = LocalQueue
    for name, operation in sqs_operations.REPLACED.items():
        setattr(sqs.SQSBackend, name, operation)


def _queues() -> Iterator[Any]:
    for _, _, backend in sqs.sqs_backends.iter_backends():
        yield from list(backend.queues.values())
