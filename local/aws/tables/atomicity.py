"""Make DynamoDB's conditional writes atomic between the threads of the local stack."""

from __future__ import annotations

from threading import RLock
from typing import Any, Final

from moto.dynamodb.responses import DynamoHandler

LOCK: Final = RLock()  # whoever reads or writes an item holds it


def answer_one_request_at_a_time() -> None:
    """Answer one DynamoDB request at a time, from reading the item to writing the answer.

    moto 5.2.5: a conditional write checks and writes without a lock, and the answer is made from
    the live item. Between server threads conditions admit too many (550 of 500), ADDs are lost
    (35 of 1,600), and `UPDATED_NEW` may show a later write. A lock around the backend's methods
    leaves the last; this one holds around the whole request.
    """
    call_action = DynamoHandler.call_action

    def serialized(self: Any) -> Any:
        with LOCK:
            return call_action(self)

    DynamoHandler.call_action = serialized
