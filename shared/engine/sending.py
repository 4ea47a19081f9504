"""Send events: onto the bus, or many at once into one inbox.

Both take events with ids that the sending run derives from its own, so that a repeated page or a retried attempt
sends the same events, and their receivers drop what they have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from shared import aws
from shared.engine.envelope import Envelope, canonical_json
from shared.engine.payloads import slim
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef as Entry

    from shared.engine.run import Run
    from shared.events.event import Event

T = TypeVar("T")

BATCH: Final = 10  # entries; the limit of SendMessageBatch and of PutEvents
BATCH_BYTES: Final = 1_000_000  # both take 1 MiB a request; the rest is left for names and keys
TRIES: Final = 4  # how often entries that AWS did not take are sent again before the run's own retry takes over


class NotSentError(RuntimeError):
    """AWS did not take some of the events, though they were offered again; the run's retry sends all of them."""


def fan_out(run: Run, queue_url: str, events: Iterable[tuple[str, Event]]) -> int:
    """Put events straight into the inbox at `queue_url`, ten a request, and return how many.

    Args:
        run: the run that sends them: they carry its event's time, so that a retry means the same "now".
        queue_url: the inbox of the function that reacts to them.
        events: pairs of a key, unique within the run, and the event. They are drawn ten at a time.

    Raises:
        NotSentError: the queue did not take some of them.
    """
    sqs = aws.client("sqs")

    def send(batch: Sequence[str]) -> list[str]:
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)  # type: ignore[arg-type] # dicts are entries
        return [batch[int(refused["Id"])] for refused in answer.get("Failed", [])]

    bodies = (_envelope(run, key, event).as_json() for key, event in events)
    return sum(_deliver(batch, send) for batch in _batches(bodies, size=_bytes))


def emit(run: Run, events: Iterable[tuple[str, Event]]) -> int:
    """Put events onto the bus, ten a request, and return how many; keys and errors as for `fan_out`."""
    bus, name = aws.client("events"), settings().event_bus_name

    def send(batch: Sequence[Entry]) -> list[Entry]:
        answer = bus.put_events(Entries=batch)
        return [entry for entry, result in zip(batch, answer["Entries"], strict=True) if "ErrorCode" in result]

    entries = (_entry(_envelope(run, key, event), name) for key, event in events)
    return sum(_deliver(batch, send) for batch in _batches(entries, size=lambda entry: _bytes(entry["Detail"])))


def _envelope(run: Run, key: str, event: Event) -> Envelope:
    envelope = Envelope.make(
        event.event_name,
        event.data(),
        event_id=run.id.event_id(key),
        source=f"nightshift.{run.function}",
        time=run.event_time,
    )
    return slim(envelope)  # one of more than 1 MB could not be sent at all


def _entry(envelope: Envelope, bus: str) -> Entry:
    return {
        "EventBusName": bus,
        "Source": envelope.source,
        "DetailType": envelope.name,
        "Time": envelope.time,
        "Detail": canonical_json(envelope.as_dict()["detail"]),
    }


def _bytes(text: str) -> int:
    return len(text.encode())


def _batches(items: Iterable[T], *, size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield the items in order, at most `BATCH` and at most `BATCH_BYTES` at a time."""
    batch: list[T] = []
    filled = 0
    for item in items:
        length = size(item)
        if batch and (len(batch) == BATCH or filled + length > BATCH_BYTES):
            yield batch
            batch, filled = [], 0
        batch.append(item)
        filled += length
    if batch:
        yield batch


def _deliver(batch: list[T], send: Callable[[Sequence[T]], list[T]]) -> int:
    """Send a batch, and what was not taken of it again, until all is taken or the tries are used up."""
    left = batch
    for _ in range(TRIES):
        left = send(left)
        if not left:
            return len(batch)
    raise NotSentError(f"{len(left)} of {len(batch)} events were not taken in {TRIES} tries")
