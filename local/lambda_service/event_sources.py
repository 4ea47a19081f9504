"""Bring the messages of a queue to a function, batch by batch, as Lambda's SQS event source mapping does.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html and, for what a function may answer,
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from local.aws.time_scale import TimeScale
from local.lambda_service.pool import ServiceStoppedError
from local.lambda_service.sqs_batches import MAXIMUM_EVENT_BYTES, Batch, failed_message_ids, record, split

if TYPE_CHECKING:
    from local.aws.invocation import Invocation, Invoker
    from local.aws.messages import ReceivedMessage

logger = logging.getLogger(__name__)

MAXIMUM_RECEIVE = 10
LONG_POLL_SECONDS = 20.0
# After a receive that brought nothing, so that a queue that does not wait (any more) costs no CPU.
PAUSE_SECONDS = 0.01
FAULT_PAUSE_SECONDS = 1.0
JOIN_SECONDS = 0.05


class MessageQueue(Protocol):
    """What a poller needs of a queue in this process."""

    def receive(self, max_messages: int, wait_seconds: float) -> list[ReceivedMessage]:
        """Return up to `max_messages`, waiting for the first."""
        ...

    def delete(self, receipt_handle: str) -> None:
        """Delete a received message."""
        ...

    def interrupt(self) -> None:
        """End the receives that wait now."""
        ...


@dataclass(frozen=True)
class EventSourceMapping:
    """One queue that feeds one function. `maximum_concurrency` None means as many as the function has workers."""

    function_name: str
    queue_arn: str
    batch_size: int = 10
    window_seconds: float = 0.0
    maximum_concurrency: int | None = None
    report_batch_item_failures: bool = False

    @property
    def region(self) -> str:
        """Where the queue is, as each record says."""
        return self.queue_arn.split(":")[3]


class EventSourcePoller:
    """Polls one mapping's queue and calls its function, at most `workers` batches at once.

    Each of its threads receives, calls and deletes in turn. A message is therefore received only when its batch can be
    worked on, and its visibility timeout never runs while it queues in this stack. Pass the number of calls that the
    function can take at once as `workers`.
    """

    def __init__(
        self,
        mapping: EventSourceMapping,
        queue: MessageQueue,
        invoker: Invoker,
        *,
        workers: int,
        time_scale: TimeScale | None = None,
    ) -> None:
        self._mapping = mapping
        self._queue = queue
        self._invoker = invoker
        self._window = (time_scale or TimeScale()).seconds(mapping.window_seconds)
        self._stopping = threading.Event()
        count = max(1, min(mapping.maximum_concurrency or workers, workers))
        name = f"poll-{mapping.function_name}"
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(count)]

    def start(self) -> None:
        """Poll from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self, limit_seconds: float = 30.0) -> bool:
        """Receive nothing more and wait for the calls that run; False when some still ran at the limit."""
        self._stopping.set()
        give_up = time.monotonic() + limit_seconds
        started = [thread for thread in self._threads if thread.ident is not None]
        while any(thread.is_alive() for thread in started):
            # Again and again: a thread that was between its look at `_stopping` and its receive missed the last one.
            self._queue.interrupt()
            for thread in started:
                thread.join(min(JOIN_SECONDS, max(0.0, give_up - time.monotonic())))
            if time.monotonic() >= give_up:
                return not any(thread.is_alive() for thread in started)
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._poll_once()
            except ServiceStoppedError:
                return  # the messages come back after their visibility timeout
            except Exception:
                # A mapping outlives every fault, as on AWS: what was received comes back.
                logger.exception("event source of %s", self._mapping.function_name)
                self._stopping.wait(FAULT_PAUSE_SECONDS)

    def _poll_once(self) -> None:
        messages = self._receive()
        if not messages:
            self._stopping.wait(PAUSE_SECONDS)
        records = [record(message, self._mapping.queue_arn, self._mapping.region) for message in messages]
        for batch in split(messages, records):
            self._work(batch)

    def _receive(self) -> list[ReceivedMessage]:
        """One batch: what is there, or what comes within the window after its first message."""
        size = self._mapping.batch_size
        messages = self._queue.receive(min(size, MAXIMUM_RECEIVE), LONG_POLL_SECONDS)
        closes = time.monotonic() + self._window
        while messages and len(messages) < size and not self._stopping.is_set():
            left = closes - time.monotonic()
            if left <= 0 or sum(len(message.body) for message in messages) >= MAXIMUM_EVENT_BYTES:
                break
            messages += self._queue.receive(min(size - len(messages), MAXIMUM_RECEIVE), left)
        return messages

    def _work(self, batch: Batch) -> None:
        """Call the function and delete what it did; the rest is visible again after the queue's own timeout."""
        invocation = self._invoker(self._mapping.function_name, batch.event)
        failed = self._failed(batch, invocation)
        for message in batch.messages:
            if message.message_id not in failed:
                self._queue.delete(message.receipt_handle)

    def _failed(self, batch: Batch, invocation: Invocation) -> set[str]:
        ids = {message.message_id for message in batch.messages}
        name = self._mapping.function_name
        if invocation.function_error is not None:
            words = invocation.payload[:500].decode("utf-8", "replace")
            logger.warning("%s failed for a batch of %d: %s", name, len(ids), words)
            return ids
        if not self._mapping.report_batch_item_failures:
            return set()
        failed = failed_message_ids(invocation.payload, ids)
        if failed:
            logger.info("%s reported %d of %d messages as failed", name, len(failed), len(ids))
        return failed
