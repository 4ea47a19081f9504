"""The engine's messages to itself, through the inbox of the function whose run they are about.

A control message names a run and what is to be done with it; all else stands in the run's row. An application cannot
make one by putting an event on the bus: what a rule delivers has EventBridge's own fields around the sender's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared import aws, clock
from shared.engine.envelope import canonical_json
from shared.engine.errors import InvalidMessageError, describe_invalid
from shared.engine.identity import RunId

if TYPE_CHECKING:
    from datetime import datetime

Kind = Literal["due", "deadline", "failure", "cancel"]

DELAY_LIMIT: Final = 900  # seconds; SQS's longest
_BEGINNING: Final = '{"nightshift":'


class Control(BaseModel):
    """What is to be done with a run.

    `due`: drive it on: its slot has come, it goes on, or it lost its way. `deadline`: end it if its time is over.
    `failure`: tell of its bad end. `cancel`: end it, for `reason`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: Kind = Field(alias="nightshift")
    run: str
    reason: str = Field(default="", max_length=1_000)  # StopExecution, which is told it, takes 32,768

    @classmethod
    def parse(cls, body: str) -> Self | None:
        """Return the control message that `body` holds, None if it holds an event.

        Raises:
            InvalidMessageError: it begins as a control message does and is none.
        """
        if not body.startswith(_BEGINNING):
            return None
        try:
            control = cls.model_validate_json(body)
            RunId.parse(control.run)
        except ValidationError as error:
            raise InvalidMessageError(f"not a control message: {describe_invalid(error)}") from None
        except ValueError as error:
            raise InvalidMessageError(f"not a control message: {error}") from None
        return control

    @property
    def run_id(self) -> RunId:
        """The run that it is about."""
        return RunId.parse(self.run)

    def as_json(self) -> str:
        """Return it as a message's body."""
        return canonical_json(self.model_dump(by_alias=True, exclude_defaults=True))


def send(inbox_url: str, kind: Kind, run: RunId, *, at: datetime | None = None, reason: str = "") -> None:
    """Put a control message about `run` into the inbox of its function, to be seen at `at` or now.

    SQS delays a message by 15 minutes at most: one that is seen before its time is sent on.
    """
    delay = 0 if at is None else max(0, math.ceil((at - clock.now()).total_seconds()))
    aws.client("sqs").send_message(
        QueueUrl=inbox_url,
        MessageBody=Control(kind=kind, run=str(run), reason=reason).as_json(),
        DelaySeconds=min(delay, DELAY_LIMIT),
    )


def asks_for(kind: Kind, body: str) -> bool:
    """Return whether a message's `body` begins as the control message of this kind does."""
    return body.startswith(f'{_BEGINNING}"{kind}"')
