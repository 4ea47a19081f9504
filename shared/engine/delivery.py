"""One delivery of an inbox message to a worker, and the worker's claim to what it does with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from shared import clock

if TYPE_CHECKING:
    from shared.engine.inbox import Message
    from shared.engine.run import LambdaContext

ADMISSION_LIMIT: Final = timedelta(minutes=1)  # to ask the policies and to note what they say takes milliseconds


@dataclass(frozen=True)
class Delivery:
    """A message in this worker's hands. `holder` names the worker on a row that it takes, until `lease`.

    The lease is the end of the Lambda call: past it, the worker is done or dead.
    """

    message: Message
    context: LambdaContext
    holder: str
    received_at: datetime
    lease: datetime

    @classmethod
    def now(cls, message: Message, context: LambdaContext) -> Self:
        """Return the delivery of a message that has just been received."""
        received = clock.now()
        lease = received + timedelta(milliseconds=context.get_remaining_time_in_millis())
        return cls(message, context, uuid4().hex, received, lease)

    @property
    def admission_lease(self) -> datetime:
        """Until when this worker may admit a run; another that then admits it as well does no harm.

        It is short, because a workflow's inbox delivers again after a minute what its worker did not finish: a lease
        to the end of a long Lambda call would use up the message's deliveries.
        """
        return min(self.lease, self.received_at + ADMISSION_LIMIT)
