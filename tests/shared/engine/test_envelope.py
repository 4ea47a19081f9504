from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.envelope import Envelope
from shared.engine.errors import InvalidMessageError
from tests.factories import envelope

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_takes_the_senders_id_before_eventbridges() -> None:
    body = envelope(id="from-eventbridge", metadata={"id": "from-sender"})

    assert Envelope.parse(body).event_id == "from-sender"


def test_takes_eventbridges_id_where_the_sender_gave_none() -> None:
    body = envelope(id="from-eventbridge", metadata={"id": None})

    assert Envelope.parse(body).event_id == "from-eventbridge"


def test_takes_the_senders_time_before_the_envelopes() -> None:
    body = envelope(time="2026-01-01T00:00:00Z", metadata={"ts": 1_767_312_000_123})

    assert Envelope.parse(body).event_time == datetime(2026, 1, 2, 0, 0, 0, 123_000, tzinfo=UTC)


def test_reads_a_time_with_an_offset_and_one_without_as_utc() -> None:
    with_offset = Envelope.parse(envelope(time="2026-06-01T05:00:00+01:00"))
    without = Envelope.parse(envelope(time="2026-06-01T05:00:00"))

    assert with_offset.event_time == datetime(2026, 6, 1, 4, tzinfo=UTC)
    assert without.event_time == datetime(2026, 6, 1, 5, tzinfo=UTC)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(min_size=1, max_size=200))
def test_writes_and_reads_back_the_same_event(data: dict[str, object], event_id: str) -> None:
    made = Envelope.make("a/b", data, event_id=event_id, source="s", time=datetime(2026, 1, 1, tzinfo=UTC))

    read = Envelope.parse(made.as_json())

    assert read == made
    assert read.as_json() == made.as_json()


def test_keeps_what_it_does_not_know_in_the_metadata() -> None:
    read = Envelope.parse(envelope(metadata={"actor": "ada", "correlation_id": "c-1"}))

    assert read.as_dict()["detail"]["metadata"] == {"id": "event-1", "actor": "ada", "correlation_id": "c-1"}


def test_dates_an_event_from_the_future_now() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ahead = Envelope.parse(envelope(metadata={"ts": 4_000_000_000_000}))

    assert ahead.not_after(now).event_time == now
    assert ahead.not_after(now).event_id == "event-1"


def test_leaves_the_date_of_an_event_from_the_past() -> None:
    past = Envelope.parse(envelope())

    assert past.not_after(past.event_time + timedelta(seconds=1)) is past


def test_writes_its_time_in_utc_whatever_the_zone() -> None:
    lisbon = timezone(timedelta(hours=1))
    made = Envelope.make("a", {}, event_id="1", source="s", time=datetime(2026, 6, 1, 5, tzinfo=lisbon))

    assert json.loads(made.as_json())["time"] == "2026-06-01T04:00:00.000Z"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "Invalid JSON"),
        ("{", "Invalid JSON"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "detail-type"),
        (envelope(detail={}), "detail.data"),
        (envelope(detail={"data": []}), "detail.data"),
        (envelope(metadata={"id": None}), "neither"),
        (envelope(metadata={"id": ""}), "metadata.id"),
        (envelope(metadata={"id": "x" * 513}), "metadata.id"),
        (envelope(metadata={"ts": -1}), "metadata.ts"),
        (envelope(metadata={"ts": 10**18}), "metadata.ts"),
        (envelope(metadata={"generation": -1}), "metadata.generation"),
        (envelope(**{"detail-type": "x" * 129}), "detail-type"),
        (envelope(time="yesterday"), "time"),
    ],
)
def test_refuses_what_is_not_an_event_and_says_why(body: str, reason: str) -> None:
    with pytest.raises(InvalidMessageError, match=reason):
        Envelope.parse(body)


def test_does_not_repeat_values_in_its_refusal() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        Envelope.parse(envelope(detail={"data": "s3cret"}))

    assert "s3cret" not in str(refused.value)


@given(st.text())
def test_refuses_any_text_without_another_error(text: str) -> None:
    with pytest.raises(InvalidMessageError):
        Envelope.parse(text)
