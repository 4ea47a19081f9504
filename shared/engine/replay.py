"""Run an event's function again, as the next generation of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared import aws
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.settings import settings

if TYPE_CHECKING:
    from shared.engine.row import Row


class NotReplayableError(ValueError):
    """There is no such run, or it was refused and has no event."""


def replay(run: RunId) -> RunId:
    """Ask for the generation after the last one of `run`'s function and event, and return its run id.

    Two who ask at the same time ask for the same generation: it runs once. It has attempts, effects and an end of its
    own.

    Raises:
        NotReplayableError: the ledger has no such run, or it has no event.
    """
    newest = ledger().newest(run)
    if newest is None or not newest.event:
        raise NotReplayableError(f"run {run} is not known" if newest is None else f"run {run} has no event")
    return send_again(newest, settings().inbox_of(newest.function))


def send_again(newest: Row, inbox_url: str) -> RunId:
    """Put the event of `newest`, the last generation, into the inbox as the next one."""
    following = RunId(newest.id.uuid, newest.id.generation + 1)
    body = newest.envelope.of_generation(following.generation).as_json()
    aws.client("sqs").send_message(QueueUrl=inbox_url, MessageBody=body)
    return following
