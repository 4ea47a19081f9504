"""Run an event's function again, as the next generation of its run."""

from __future__ import annotations

from shared import aws
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.settings import settings


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
    following = RunId(newest.id.uuid, newest.id.generation + 1)
    inbox = settings().inbox_of(newest.function)
    aws.client("sqs").send_message(QueueUrl=inbox, MessageBody=newest.asked_for_again().as_json())
    return following
