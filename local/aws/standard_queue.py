"""Keep the messages of one standard SQS queue, safe between threads and fast at any length.

Every operation costs O(log n) at most: a message stands in `_ready` (a deque) or in `_hidden` (a
heap by the time it comes back), and both are cleaned lazily. Two choices where AWS leaves room:

- `delete` with a receipt handle that is not the newest succeeds and deletes nothing, as the
  DeleteMessage reference says ("the request succeeds, but the message will not be deleted").
- a message that returns goes to the end of the line: a standard queue's order is best effort.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass, replace
from threading import Condition, Lock
from typing import TYPE_CHECKING

from local.aws.time_scale import TimeScale

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.aws.messages import QueuedMessage, ReceivedMessage, State

MAXIMUM_IN_FLIGHT = 120_000  # a standard queue's quota; beyond it a receive answers nothing
MAXIMUM_VISIBILITY = 43_200  # seconds, counted from the receive


class ReceiptHandleError(ValueError):
    """The text was never a receipt handle of this queue."""


class NotInFlightError(ValueError):
    """The handle's message is deleted, visible again, or was received again since."""


class VisibilityLimitError(ValueError):
    """The message would stay hidden for more than 12 hours after its receive."""


@dataclass(frozen=True)
class Receive:
    """What one receive asks for; times in nominal seconds, `wait` in real ones."""

    max_messages: int
    wait: float
    visibility: float
    retention: float
    max_receives: int | None = None


class StandardQueue:
    """The messages of one queue; `time_scale` shortens delays and visibility timeouts."""

    def __init__(self, time_scale: TimeScale | None = None, clock: Callable[[], float] = time.time) -> None:
        self._scale = time_scale or TimeScale()
        self._clock = clock
        self._changed = Condition(Lock())
        self._token = uuid.uuid4().hex[:12]  # refuses the handles of a deleted namesake
        self._messages: dict[str, QueuedMessage] = {}
        self._ready: deque[QueuedMessage] = deque()
        self._hidden: list[tuple[float, int, QueuedMessage]] = []
        self._tickets = 0
        self._counts: Counter[State] = Counter()
        self._closed = False
        self._interrupts = 0

    def send(self, message: QueuedMessage, delay: float = 0.0) -> None:
        """Take a new message in, hidden for `delay` seconds."""
        with self._changed:
            message.sent_at = self._clock()
            self._admit(message, delay)

    def adopt(self, message: QueuedMessage, source_arn: str) -> None:
        """Take over what had its last receive in `source_arn`: id, age and receive count stay."""
        with self._changed:
            # A copy: the other queue's heap may still hold the old one.
            self._admit(replace(message, source_arn=source_arn, receipt_handle=None), 0.0)

    def receive(self, ask: Receive) -> tuple[list[ReceivedMessage], list[QueuedMessage]]:
        """Hand out up to `max_messages`, waiting up to `wait` for the first.

        The second list holds messages that had their last receive: they have left this queue, and
        the caller puts them into the dead-letter queue. After `close` or `interrupt` nothing
        may come before `wait` is over.
        """
        with self._changed:
            interrupts, deadline = self._interrupts, self._clock() + ask.wait
            while True:
                now = self._clock()
                self._surface(now)
                received, dead = self._hand_out(ask, now)
                if received or dead or now >= deadline:
                    return received, dead
                if self._closed or self._interrupts != interrupts:
                    return [], []
                wake_at = min(deadline, self._hidden[0][0]) if self._hidden else deadline
                self._changed.wait(wake_at - now)

    def delete(self, receipt_handle: str) -> None:
        """Delete the message whose newest receive answered this handle; see the module."""
        with self._changed:
            message = self._newest(receipt_handle)
            if message is not None:
                self._leave(message)
                self._compact()

    def change_visibility(self, receipt_handle: str, seconds: float) -> None:
        """Hide a message in flight for `seconds` from now, 0 to give it back at once."""
        with self._changed:
            now = self._clock()
            self._surface(now)
            message = self._newest(receipt_handle)
            if message is None or message.state != "in flight":
                raise NotInFlightError(receipt_handle)
            hidden_until = now + self._scale.seconds(seconds)
            if hidden_until - message.received_at > self._scale.seconds(MAXIMUM_VISIBILITY):
                raise VisibilityLimitError(receipt_handle)
            self._hide(message, seconds, "in flight")
            self._compact()

    def purge(self) -> None:
        """Forget every message."""
        with self._changed:
            for message in list(self._messages.values()):
                self._leave(message)
            self._ready.clear()
            self._hidden.clear()

    def count(self, state: State) -> int:
        """Return how many messages are in a state now."""
        with self._changed:
            self._surface(self._clock())
            return self._counts[state]

    def close(self) -> None:
        """End every waiting receive; later ones do not wait."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def interrupt(self) -> None:
        """End the receives that wait now."""
        with self._changed:
            self._interrupts += 1
            self._changed.notify_all()

    def _admit(self, message: QueuedMessage, delay: float) -> None:
        self._messages[message.message_id] = message
        message.state = "gone"
        self._hide(message, delay, "delayed")

    def _hide(self, message: QueuedMessage, seconds: float, state: State) -> None:
        if seconds <= 0:
            self._show(message)
            return
        self._move(message, state)
        self._tickets += 1
        message.ticket = self._tickets
        until = self._clock() + self._scale.seconds(seconds)
        heapq.heappush(self._hidden, (until, message.ticket, message))
        if self._hidden[0][1] == message.ticket:
            self._changed.notify_all()  # whoever waits must now wake earlier than planned

    def _show(self, message: QueuedMessage) -> None:
        self._move(message, "ready")
        self._ready.append(message)
        self._changed.notify()

    def _leave(self, message: QueuedMessage) -> None:
        self._move(message, "gone")
        del self._messages[message.message_id]

    def _move(self, message: QueuedMessage, state: State) -> None:
        self._counts[message.state] -= 1
        self._counts[state] += 1
        message.state = state

    def _surface(self, now: float) -> None:
        while self._hidden and self._hidden[0][0] <= now:
            entry = heapq.heappop(self._hidden)
            if _is_current(entry):
                self._show(entry[2])

    def _hand_out(self, ask: Receive, now: float) -> tuple[list[ReceivedMessage], list[QueuedMessage]]:
        received: list[ReceivedMessage] = []
        dead: list[QueuedMessage] = []
        waiting = len(self._ready)  # without a visibility timeout a message is back at once
        room = min(ask.max_messages, MAXIMUM_IN_FLIGHT - self._counts["in flight"])
        while waiting and len(received) < room:
            waiting -= 1
            message = self._ready.popleft()
            if message.state == "gone":
                continue
            if now >= message.sent_at + ask.retention:
                self._leave(message)
            elif ask.max_receives is not None and message.receive_count >= ask.max_receives:
                self._leave(message)
                dead.append(message)
            else:
                received.append(self._hand_over(message, now, ask.visibility))
        return received, dead

    def _hand_over(self, message: QueuedMessage, now: float, visibility: float) -> ReceivedMessage:
        message.receive_count += 1
        message.received_at = now
        if message.first_received_at is None:
            message.first_received_at = now
        words = f"{self._token} {message.message_id} {message.receive_count}"
        message.receipt_handle = base64.b64encode(words.encode()).decode()
        self._hide(message, visibility, "in flight")
        return message.as_received()

    def _newest(self, receipt_handle: str) -> QueuedMessage | None:
        try:
            words = base64.b64decode(receipt_handle, validate=True).decode().split(" ")
        except (binascii.Error, ValueError) as error:
            raise ReceiptHandleError(receipt_handle) from error
        if len(words) != 3 or words[0] != self._token:
            raise ReceiptHandleError(receipt_handle)
        message = self._messages.get(words[1])
        return message if message and message.receipt_handle == receipt_handle else None

    def _compact(self) -> None:
        """Drop what the heap holds of messages that left, once that is the most of it."""
        hidden = self._counts["in flight"] + self._counts["delayed"]
        if len(self._hidden) > 2 * hidden + 64:
            self._hidden = [entry for entry in self._hidden if _is_current(entry)]
            heapq.heapify(self._hidden)


def _is_current(entry: tuple[float, int, QueuedMessage]) -> bool:
    _, ticket, message = entry
    return message.ticket == ticket and message.state in {"in flight", "delayed"}
