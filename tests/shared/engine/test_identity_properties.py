"""Ids are the same for the same thing on every machine, and differ for any two."""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_URL, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.identity import RunId

FUNCTIONS = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+){0,5}", fullmatch=True)
EVENTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)
GENERATIONS = st.integers(0, 999_999_999)
RUNS = st.builds(RunId.of, FUNCTIONS, EVENTS, GENERATIONS)


@given(FUNCTIONS, EVENTS, GENERATIONS)
def test_a_run_id_is_the_documented_formula(function: str, event: str, generation: int) -> None:
    # RFC 9562, version 5, by hand
    digest = bytearray(hashlib.sha1(NAMESPACE_URL.bytes + f"nightshift:{function}:{event}".encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    expected = str(UUID(bytes=bytes(digest)))

    assert str(RunId.of(function, event, generation)) == (f"{expected}-{generation}" if generation else expected)


@given(RUNS)
def test_a_run_id_is_read_from_what_it_is_written_as(run: RunId) -> None:
    assert RunId.parse(str(run)) == run
    assert str(RunId.parse(str(run))) == str(run)


@given(st.text() | RUNS.map(str).flatmap(lambda name: st.text("0123456789abcdef-", max_size=12).map(name.__add__)))
def test_any_text_is_one_run_id_or_none(text: str) -> None:
    try:
        run = RunId.parse(text)
    except ValueError:
        return

    assert str(run) == text


@given(FUNCTIONS, EVENTS, FUNCTIONS, EVENTS, GENERATIONS, GENERATIONS)
def test_two_runs_have_one_id_only_if_they_are_one(f: str, e: str, g: str, d: str, one: int, other: int) -> None:
    assert (str(RunId.of(f, e, one)) == str(RunId.of(g, d, other))) == ((f, e, one) == (g, d, other))


@given(st.lists(st.tuples(RUNS, EVENTS), min_size=2, max_size=6, unique=True))
def test_events_that_runs_send_differ_with_run_generation_and_key(sent: list[tuple[RunId, str]]) -> None:
    assert len({run.event_id(key) for run, key in sent}) == len(sent)


@given(RUNS, EVENTS, GENERATIONS)
def test_generations_send_events_of_their_own(run: RunId, key: str, generation: int) -> None:
    other = RunId(run.uuid, generation)

    assert (other.event_id(key) == run.event_id(key)) == (other == run)


@pytest.mark.parametrize("name", ["6BA7B810-9DAD-11D1-80B4-00C04FD430C8", " 6ba7b810-9dad-11d1-80b4-00c04fd430c8"])
def test_an_id_in_another_spelling_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        RunId.parse(name)
