from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.engine import Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from tests.factories import Context, envelope

EVENT = Envelope.parse(envelope())


def test_has_as_long_as_its_lambda_has() -> None:
    run = Run(RunId.of("f", "event-1"), "f", EVENT, context=Context(milliseconds=1_500))

    assert run.remaining() == timedelta(seconds=1.5)


def test_has_an_hour_where_it_is_called_without_a_lambda() -> None:
    run = Run(RunId.of("f", "event-1"), "f", EVENT)

    assert run.remaining() == timedelta(hours=1)


def test_counts_from_the_time_that_the_sender_says() -> None:
    sent = Envelope.parse(envelope(metadata={"ts": 1_772_000_000_000}))

    assert Run(RunId.of("f", "1"), "f", sent).event_time == datetime(2026, 2, 25, 6, 13, 20, tzinfo=UTC)


def test_does_not_show_the_event_where_it_is_printed() -> None:
    secret = Envelope.parse(envelope(data={"name": "hunter2"}))

    assert "hunter2" not in repr(Run(RunId.of("f", "1"), "f", secret))
