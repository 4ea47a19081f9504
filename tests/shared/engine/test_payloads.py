from __future__ import annotations

import json
import socket
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import aws
from shared.engine.envelope import PAYLOAD_LIMIT, Envelope, canonical_json
from shared.engine.errors import InvalidMessageError, NonRetryableError
from shared.engine.payloads import (
    KEY,
    LIMIT,
    PREFIX,
    PayloadLostError,
    PayloadTooLargeError,
    full,
    incoming,
    outgoing,
    slim,
)
from tests.factories import envelope
from tests.stack import Stack

SMALL = {"sha256": "0" * 64, "bytes": 1}
# the fixture's AWS may hold objects of earlier examples: the same content has the same key
PROPERTY = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.just(KEY), inner, max_size=3)
        | st.builds(lambda value: {KEY: value}, inner)
        | st.just({KEY: SMALL})
    ),
    max_leaves=10,
)
# a text of one, two, three or four bytes a character, repeated until the value is about as large as the limit
FILLER = st.tuples(st.sampled_from("aé€😀\n\x00"), st.integers(0, LIMIT + 1000)).map(lambda each: each[0] * each[1])


def text_of(size: int) -> str:
    """A text whose canonical JSON has `size` bytes."""
    return "x" * (size - 2)


def event(**overrides: Any) -> Envelope:
    return Envelope.parse(envelope(**overrides))


def large_event(**overrides: Any) -> Envelope:
    return event(data={"name": "Ada", "lines": ["x" * 1000] * 1000}, **overrides)


# --- values ---


@given(value=JSON, filler=FILLER)
@PROPERTY
def test_gives_back_any_json_value(stack: Stack, value: Any, filler: str) -> None:
    assert incoming(outgoing(value)) == value
    assert incoming(outgoing([value, filler])) == [value, filler]


@given(value=JSON, filler=FILLER)
@PROPERTY
def test_lets_nothing_out_that_is_over_the_limit(stack: Stack, value: Any, filler: str) -> None:
    assert len(canonical_json(outgoing({"value": value, "filler": filler})).encode()) <= LIMIT


def test_passes_a_value_of_exactly_the_limit_as_it_is(stack: Stack) -> None:
    value = text_of(LIMIT)

    assert outgoing(value) is value
    assert stack.calls == []


def test_refers_to_a_value_that_is_one_byte_larger(stack: Stack) -> None:
    value = text_of(LIMIT + 1)

    sent = outgoing(value)

    assert list(sent) == [KEY]
    assert sent[KEY]["bytes"] == LIMIT + 1
    assert stack.payloads() == [PREFIX + sent[KEY]["sha256"]]
    assert incoming(sent) == value


def test_counts_bytes_and_not_characters(stack: Stack) -> None:
    value = "é" * (LIMIT // 2)

    assert KEY in outgoing(value)


def test_asks_aws_for_nothing_where_there_is_nothing_large(stack: Stack) -> None:
    value = {"event": {"detail": {"data": {"name": "Ada"}}}, "lines": [1, None, "two", {"three": []}]}

    assert incoming(outgoing(value)) is value
    assert slim(event()) == full(event()) == event()
    assert stack.calls == []


def test_stores_equal_values_once_and_writes_them_again(stack: Stack) -> None:
    first = outgoing({"a": text_of(LIMIT), "b": 1})
    second = outgoing({"b": 1, "a": text_of(LIMIT)})

    assert first == second
    assert len(stack.payloads()) == 1
    assert len(stack.asked("PutObject")) == 2  # the second one makes the object young again


def test_stores_json_that_anybody_can_read(stack: Stack) -> None:
    value = {"lines": [text_of(LIMIT)]}

    outgoing(value)

    answer = aws.client("s3").get_object(Bucket="test-payloads", Key=stack.payloads()[0])
    with answer["Body"] as body:
        assert json.loads(body.read()) == value
    assert answer["ContentType"] == "application/json"


def test_finds_references_at_any_depth(stack: Stack) -> None:
    lines, page = [text_of(LIMIT)], {"page": text_of(LIMIT + 1)}
    step_input = {
        "event": {"detail": {"data": {"name": "Ada"}}},
        "lines": outgoing(lines),
        "all": [outgoing(page), 1, [{"deep": outgoing(lines)}]],
    }

    given = incoming(step_input)

    assert given == {
        "event": {"detail": {"data": {"name": "Ada"}}},
        "lines": lines,
        "all": [page, 1, [{"deep": lines}]],
    }


def test_reads_a_payload_once_however_often_it_is_named(stack: Stack) -> None:
    reference = outgoing([text_of(LIMIT)])

    given = incoming([reference] * 5)
    given[0].append("changed")

    assert len(stack.asked("GetObject")) == 1
    assert [len(each) for each in given] == [2, 1, 1, 1, 1]


def test_bears_a_value_of_any_depth(stack: Stack) -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]

    assert incoming(deep) is deep


def test_does_not_search_what_it_read(stack: Stack) -> None:
    look_alike = {KEY: SMALL, "filler": text_of(LIMIT)}

    assert incoming(outgoing(look_alike)) == look_alike
    assert len(stack.asked("GetObject")) == 1


def test_refuses_to_store_what_nobody_could_read(stack: Stack) -> None:
    with pytest.raises(PayloadTooLargeError, match=str(PAYLOAD_LIMIT)):
        outgoing(text_of(PAYLOAD_LIMIT + 1))

    assert stack.calls == []


def test_refuses_more_than_it_can_hold_before_it_reads(stack: Stack) -> None:
    reference = outgoing(text_of(1_000_000))
    stack.calls.clear()

    with pytest.raises(InvalidMessageError, match="26000000 bytes"):
        incoming([reference] * 26)

    assert stack.calls == []


# --- references that are wrong ---

REFUSED: list[Any] = [
    None,
    "payloads/secret",
    [],
    {},
    {"sha256": "0" * 64},
    {"bytes": 1},
    {"sha256": "0" * 64, "bytes": 1, "key": "ledger.json"},
    {"sha256": "0" * 63, "bytes": 1},
    {"sha256": "0" * 65, "bytes": 1},
    {"sha256": "A" * 64, "bytes": 1},
    {"sha256": "0" * 64 + "\n", "bytes": 1},
    {"sha256": "../" + "0" * 61, "bytes": 1},
    {"sha256": "%2e%2e%2f" + "0" * 55, "bytes": 1},
    {"sha256": "\N{ARABIC-INDIC DIGIT ZERO}" * 64, "bytes": 1},
    {"sha256": "", "bytes": 1},
    {"sha256": ["0" * 64], "bytes": 1},
    {"sha256": 0, "bytes": 1},
    {"sha256": "0" * 64, "bytes": 0},
    {"sha256": "0" * 64, "bytes": -1},
    {"sha256": "0" * 64, "bytes": "1"},
    {"sha256": "0" * 64, "bytes": 1.5},
    {"sha256": "0" * 64, "bytes": True},
    {"sha256": "0" * 64, "bytes": PAYLOAD_LIMIT + 1},
]


@pytest.mark.parametrize("reference", REFUSED)
def test_refuses_a_malformed_reference_without_asking_s3(stack: Stack, reference: Any) -> None:
    with pytest.raises(InvalidMessageError):
        incoming({"lines": [{KEY: reference}]})
    if reference is not None:  # no reference at all in an event's metadata
        with pytest.raises(InvalidMessageError, match=r"metadata\.payload"):
            event(metadata={"payload": reference})

    assert stack.calls == []


@given(reference=JSON | st.fixed_dictionaries({"sha256": JSON | st.text("0123456789abcdef"), "bytes": JSON}))
@PROPERTY
def test_never_asks_for_an_object_outside_its_prefix(stack: Stack, reference: Any) -> None:
    with pytest.raises(NonRetryableError):
        incoming({KEY: reference})

    assert all(call["Key"] == f"{PREFIX}{'0' * 64}" for call in stack.asked("GetObject"))


def test_refuses_a_reference_beside_other_keys(stack: Stack) -> None:
    mixed = outgoing(text_of(LIMIT + 1)) | {"name": "merged by an expression"}

    with pytest.raises(InvalidMessageError, match="beside other keys"):
        incoming(mixed)


def test_does_not_repeat_a_bad_reference_in_its_refusal(stack: Stack) -> None:
    with pytest.raises(InvalidMessageError) as refused:
        incoming({KEY: {"sha256": "s3cret", "bytes": 1}})

    assert "s3cret" not in str(refused.value)


def test_refuses_a_reference_that_lies_about_the_size(stack: Stack) -> None:
    reference = outgoing(text_of(LIMIT + 1))
    reference[KEY]["bytes"] = 10

    with pytest.raises(InvalidMessageError, match="200001 bytes, not 10"):
        incoming(reference)


def test_reports_a_payload_that_has_expired_as_lost(stack: Stack) -> None:
    reference = outgoing(text_of(LIMIT + 1))
    aws.client("s3").delete_object(Bucket="test-payloads", Key=stack.payloads()[0])

    with pytest.raises(PayloadLostError, match=reference[KEY]["sha256"]):
        incoming({"lines": reference})
    assert issubclass(PayloadLostError, NonRetryableError)


def test_reports_a_payload_that_is_another_as_lost(stack: Stack) -> None:
    reference = outgoing(text_of(LIMIT + 1))
    aws.client("s3").put_object(Bucket="test-payloads", Key=stack.payloads()[0], Body=b'"' + b"y" * (LIMIT - 1) + b'"')

    with pytest.raises(PayloadLostError, match="not what was stored"):
        incoming(reference)


def test_leaves_a_network_error_to_the_retry(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = outgoing(text_of(LIMIT + 1))
    aws.forget_clients()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")

        with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
            incoming(reference)


# --- events ---


@given(
    data=st.dictionaries(st.text() | st.just(KEY), JSON, max_size=4),
    filler=FILLER,
    metadata=st.dictionaries(st.sampled_from(["actor", "correlation_id"]), st.text()),
)
@PROPERTY
def test_gives_back_any_event(stack: Stack, data: dict[str, Any], filler: str, metadata: dict[str, Any]) -> None:
    sent = event(data=data | {"filler": filler}, metadata=metadata)

    slimmed = slim(sent)

    assert full(slimmed) == sent
    assert len(slimmed.as_json().encode()) <= LIMIT
    assert slim(slimmed) == slimmed == slim(sent)
    assert Envelope.parse(slimmed.as_json()) == slimmed


def test_moves_the_data_of_a_large_event(stack: Stack) -> None:
    sent = large_event(metadata={"actor": "ada", "ts": 1_767_312_000_123})
    assert len(sent.as_json()) > 1_000_000

    slimmed = slim(sent)

    assert len(slimmed.as_json()) < 500
    assert slimmed.event_id == sent.event_id
    assert slimmed.event_time == sent.event_time
    assert slimmed.detail.metadata.payload is not None
    assert full(slimmed) == sent


def test_leaves_an_event_of_exactly_the_limit_as_it_is(stack: Stack) -> None:
    empty = len(event(data={"name": ""}).as_json())
    largest = event(data={"name": "x" * (LIMIT - empty)})
    larger = event(data={"name": "x" * (LIMIT - empty + 1)})

    assert slim(largest) is largest
    assert slim(larger).detail.data == {}


def test_keeps_short_fields_in_sight(stack: Stack) -> None:
    data = {"organization_id": 7, "slug": "acme", "urgent": True, "parent": None, "text": "x" * 2000, "lines": ["x"]}

    slimmed = slim(event(data=data | {"filler": "x" * LIMIT}))

    assert slimmed.detail.data == {"organization_id": 7, "slug": "acme", "urgent": True, "parent": None}


def test_keeps_no_fields_where_there_are_very_many(stack: Stack) -> None:
    sent = event(data={str(number): number for number in range(50_000)})

    slimmed = slim(sent)

    assert slimmed.detail.data == {}
    assert full(slimmed) == sent


def test_makes_the_same_of_the_same_event(stack: Stack) -> None:
    assert slim(large_event()).as_json() == slim(large_event()).as_json()
    assert len(stack.payloads()) == 1


def test_remembers_the_payload_in_a_replay(stack: Stack) -> None:
    slimmed = slim(large_event())

    assert full(slimmed.of_generation(2)).detail.data == large_event().detail.data
    assert full(slimmed.not_after(datetime(2020, 1, 1, tzinfo=UTC))).detail.data == large_event().detail.data


def test_does_not_search_an_events_data_for_references(stack: Stack) -> None:
    known = outgoing([text_of(LIMIT)])
    stack.calls.clear()

    assert full(event(data={"lines": known})).detail.data == {"lines": known}
    assert stack.calls == []


def test_refuses_an_event_that_is_large_beside_its_data(stack: Stack) -> None:
    with pytest.raises(InvalidMessageError, match="beside its data"):
        slim(event(metadata={"actor": "x" * LIMIT}))
    with pytest.raises(InvalidMessageError, match="beside its payload"):
        slim(large_event(metadata={"payload": SMALL}))

    assert stack.calls == []


def test_refuses_a_payload_that_is_not_an_events_data(stack: Stack) -> None:
    reference = outgoing([text_of(LIMIT)])[KEY]

    with pytest.raises(InvalidMessageError, match="not an object"):
        full(event(metadata={"payload": reference}))


def test_reports_an_event_whose_payload_has_expired_as_lost(stack: Stack) -> None:
    with pytest.raises(PayloadLostError):
        full(event(metadata={"payload": SMALL}))
