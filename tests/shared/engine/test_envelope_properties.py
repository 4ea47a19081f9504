"""Whatever an event holds arrives as it was sent, or is refused with a reason."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine.envelope import Envelope, canonical_json, json_value
from shared.engine.errors import InvalidMessageError
from tests.factories import envelope

# Text with every character that JSON can hold; numbers up to where a double ends, and integers far beyond.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
HUGE = st.integers(-(10**400), 10**400)
JSON = st.recursive(
    st.none() | st.booleans() | HUGE | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=4)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
FIRST, LAST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001
TIMES = st.datetimes(FIRST, LAST) | st.datetimes(FIRST, LAST, timezones=OFFSETS)
METADATA = st.fixed_dictionaries(
    {"id": IDS},
    optional={
        "ts": st.integers(0, 253_402_300_799_999),
        "generation": st.integers(0, 999_999_999),
        "actor": JSON,
        "correlation_id": JSON,
    },
)


def bodies() -> st.SearchStrategy[dict[str, Any]]:
    """Events as senders write them."""
    return st.fixed_dictionaries(
        {
            "detail-type": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128),
            "source": TEXT.filter(bool),
            "time": TIMES.map(datetime.isoformat),
            "detail": st.fixed_dictionaries({"data": OBJECTS, "metadata": METADATA}),
        },
        optional={"id": IDS, "account": st.just("123456789012"), "resources": st.just([])},
    )


def same(one: Any, other: Any) -> bool:
    """Equal with their types: to Python, 1, 1.0 and True are one."""
    return canonical_json(one) == canonical_json(other)


@settings(max_examples=200)
@given(bodies(), st.booleans())
def test_what_is_read_is_what_was_sent_however_it_was_written(body: dict[str, Any], escaped: bool) -> None:
    read = Envelope.parse(json.dumps(body, ensure_ascii=escaped))

    assert same(read.detail.data, body["detail"]["data"])
    assert read.event_id == body["detail"]["metadata"]["id"]
    assert read.name == body["detail-type"]
    for extra in ("actor", "correlation_id"):
        assert same((read.detail.metadata.model_extra or {}).get(extra), body["detail"]["metadata"].get(extra))


@settings(max_examples=200)
@given(bodies())
def test_what_is_read_is_written_and_read_as_the_same(body: dict[str, Any]) -> None:
    read = Envelope.parse(json.dumps(body))

    again = Envelope.parse(read.as_json())

    assert same(again.detail.data, read.detail.data)
    assert again.detail == read.detail
    assert (again.name, again.source, again.id) == (read.name, read.source, read.id)
    assert timedelta(0) <= read.time - again.time < timedelta(milliseconds=1)
    assert again.as_json() == read.as_json()  # an execution's input is the same each time it is made


@given(bodies(), st.randoms())
def test_it_is_written_the_same_whatever_order_its_keys_had(body: dict[str, Any], random: Any) -> None:
    def shuffled(value: Any) -> Any:
        if isinstance(value, list):
            return [shuffled(each) for each in value]
        if not isinstance(value, dict):
            return value
        items = [(key, shuffled(each)) for key, each in value.items()]
        random.shuffle(items)
        return dict(items)

    assert Envelope.parse(json.dumps(shuffled(body))).as_json() == Envelope.parse(json.dumps(body)).as_json()


@given(bodies(), st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 29), timezones=st.just(UTC)))  # noqa: DTZ001
def test_it_is_dated_no_later_than_its_acceptance_and_otherwise_unchanged(
    body: dict[str, Any], accepted: datetime
) -> None:
    read = Envelope.parse(json.dumps(body))

    kept = read.not_after(accepted)

    assert kept.event_time == min(read.event_time, accepted)
    assert (kept.event_id, kept.name) == (read.event_id, read.name)
    assert same(kept.detail.data, read.detail.data)
    assert kept.not_after(accepted) is kept


@given(bodies(), st.integers(1, 999_999_999))
def test_a_replay_is_the_same_event(body: dict[str, Any], generation: int) -> None:
    read = Envelope.parse(json.dumps(body))

    replay = Envelope.parse(read.of_generation(generation).as_json())

    assert replay.detail.metadata.generation == generation
    assert replay.event_id == read.event_id
    assert replay.of_generation(0).as_json() == read.of_generation(0).as_json()


SPOILED = st.sampled_from([float("nan"), float("inf"), float("-inf"), "\ud800", "\udfff and more"])


@given(st.lists(st.sampled_from(["list", "object", "key"]), max_size=5), SPOILED, st.sampled_from(["data", "metadata"]))
def test_what_json_does_not_have_is_refused_wherever_it_stands(path: list[str], value: Any, place: str) -> None:
    for step in path:
        value = [value, 1] if step == "list" else {str(value): 1, "x": value} if step == "key" else {"x": value}
    body = json.loads(envelope())
    body["detail"][place]["spoiled"] = value

    with pytest.raises(InvalidMessageError, match="not an event"):
        Envelope.parse(json.dumps(body))  # as a careless sender writes it


@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 5000])
def test_a_number_that_is_too_large_is_refused(number: str) -> None:
    with pytest.raises(InvalidMessageError, match="not an event"):
        Envelope.parse(envelope(data={"x": "number"}).replace('"number"', number))


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_refused(time: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"time: .*beyond the calendar"):
        Envelope.parse(envelope(time=time))


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(InvalidMessageError, match="recursion limit"):
        Envelope.parse(envelope(data={"x": "deep"}).replace('"deep"', "[" * 5000 + "]" * 5000))


@pytest.fixture
def in_lisbon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's zone is not UTC, as on a laptop."""
    monkeypatch.setenv("TZ", "Europe/Lisbon")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_without_an_offset_is_in_utc_on_every_machine(in_lisbon: None) -> None:
    read = Envelope.parse(envelope(time="2026-06-01T05:00:00"))

    assert read.event_time == datetime(2026, 6, 1, 5, tzinfo=UTC)
    assert json.loads(read.as_json())["time"] == "2026-06-01T05:00:00.000Z"


@given(JSON)
def test_what_a_function_answers_is_kept_as_it_is(value: Any) -> None:
    assert same(json_value(value), value)
    assert json.loads(canonical_json(json_value(value))) == value
