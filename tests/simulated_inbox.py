"""An inbox on the test's own clock: what the engine sends there is seen when its delay is over, as SQS shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shared import clock
from tests.effects import DiedError
from tests.factories import Context
from tests.stack import Stack

Handler = Callable[[Any, Context], dict[str, Any]]


@dataclass
class Waiting:
    """A message that stands in the inbox."""

    id: str
    body: str
    visible_at: datetime
    receives: int = 0


@dataclass
class SimulatedInbox:
    """Delivers to a handler. A message that is not done comes back when its visibility time-out is over."""

    stack: Stack
    handler: Handler
    visibility: timedelta = timedelta(seconds=90)
    most_receives: int = 5
    messages: list[Waiting] = field(default_factory=list)
    moved_aside: list[str] = field(default_factory=list)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._seen = len(self.stack.done)

    def put(self, body: str, *, delay: float = 0) -> None:
        self._sent += 1
        self.messages.append(Waiting(f"message-{self._sent}", body, clock.now() + timedelta(seconds=delay)))

    @property
    def visible(self) -> list[Waiting]:
        return [message for message in self.messages if message.visible_at <= clock.now()]

    def deliver(self, message: Waiting, *, to: Handler | None = None) -> bool:
        """Deliver a message and return whether its worker lived to answer."""
        if message.receives >= self.most_receives:
            self.messages.remove(message)
            self.moved_aside.append(message.body)
            return True
        message.receives += 1
        message.visible_at = clock.now() + self.visibility
        batch = self.stack.message(message.body, receives=message.receives, message_id=message.id)
        try:
            answer = (to or self.handler)(batch, Context())
        except DiedError:
            return False
        else:
            if not answer["batchItemFailures"] and message in self.messages:
                self.messages.remove(message)
            return True
        finally:
            self.take_in()

    def take_in(self) -> None:
        """Take in what was sent to the inbox, and what was asked for its messages, since the last time."""
        news, self._seen = self.stack.done[self._seen :], len(self.stack.done)
        for operation, call in news:
            if operation == "SendMessage" and call["QueueUrl"] == self.stack.inbox_url:
                self.put(call["MessageBody"], delay=call.get("DelaySeconds", 0))
            elif operation == "ChangeMessageVisibility":
                for message in self.messages:
                    if call["ReceiptHandle"] == f"handle of {message.id}":
                        message.visible_at = clock.now() + timedelta(seconds=call["VisibilityTimeout"])

    def work_off(self, *, limit: timedelta = timedelta(days=1)) -> None:
        """Deliver everything when it can be seen, moving the clock on, until nothing is left."""
        end = clock.now() + limit
        while self.messages:
            following = min(self.messages, key=lambda message: message.visible_at)
            if following.visible_at > clock.now():
                assert following.visible_at <= end, f"still there: {self.messages}"
                self.stack.clock.advance(following.visible_at - clock.now())
            self.deliver(following)
