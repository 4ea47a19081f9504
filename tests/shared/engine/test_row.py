from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.engine.identity import RunId
from shared.engine.row import KEPT, OPEN, STATUSES, Row, Status, item_of, row_of
from tests.factories import envelope
from tests.stack import START

ROW = Row(
    id=RunId.of("demo", "event-1"),
    function="demo",
    status="accepted",
    event_id="event-1",
    event_name="demo/greeted",
    accepted_at=clock.isoformat(START),
    event=envelope(),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
COUNT = st.integers(0, 10**12)
TIME = st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z")


@given(
    row=st.builds(
        Row,
        id=st.builds(RunId, st.uuids().map(str), st.integers(0, 999_999_999)),
        function=st.text(min_size=1),
        status=st.sampled_from(STATUSES),
        event_id=st.text(min_size=1),
        event_name=st.text(min_size=1),
        accepted_at=TIME,
        event=st.text(),
        started_at=st.none() | TIME,
        ended_at=st.none() | TIME,
        **dict.fromkeys(("attempts", "earlier_attempts", "continuation", "waits", "lease", "slot"), COUNT),
        holder=st.text(),
        cursor=st.none(),
        output=JSON,
        error=st.none() | st.fixed_dictionaries({"type": st.text(), "message": st.text()}),
        failure=st.sampled_from([None, "pending", "told", "handled"]),
        failure_attempts=COUNT,
    )
)
def test_reads_back_every_row_that_it_writes(row: Row) -> None:
    assert row_of(item_of(row)) == row


def test_writes_nothing_that_dynamodb_would_hold_without_need() -> None:
    assert item_of(ROW).keys() == {
        "pk", "sk", "function_day", "expires", "open_shard", "function", "status", "event_id", "event_name",
        "accepted_at", "event",
    }  # fmt: skip


def test_stands_under_its_functions_day_and_lives_a_hundred_days() -> None:
    item = item_of(ROW)

    assert item["function_day"] == {"S": "demo#2026-03-01"}
    assert item["expires"] == {"N": str(int((START + KEPT).timestamp()))}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("failure", [None, "pending", "told", "handled"])
def test_is_unfinished_until_its_work_and_the_news_of_its_bad_end_are_done(status: Status, failure: Any) -> None:
    row = replace(ROW, status=status, failure=failure)

    assert row.is_unfinished == (status in OPEN or failure in {"pending", "told"})
    assert ("open_shard" in item_of(row)) == row.is_unfinished


def test_counts_every_status_once() -> None:
    assert sorted(get_args(Status)) == sorted(STATUSES)
    assert len(set(STATUSES)) == len(STATUSES)


def test_is_held_until_the_end_of_its_lease_and_not_at_it() -> None:
    row = replace(ROW, holder="a", lease=clock.milliseconds(START))

    assert row.is_held(START - timedelta(milliseconds=1))
    assert not row.is_held(START)


class TestAttempts:
    def test_the_first_worker_begins_the_first(self) -> None:
        taken = ROW.taken_by("a")

        assert (taken.status, taken.holder, taken.attempts, taken.attempt) == ("running", "a", 1, 1)

    def test_the_worker_that_admitted_a_run_begins_the_first(self) -> None:
        assert replace(ROW, holder="a").taken_by("a").attempt == 1

    def test_a_worker_after_another_begins_the_next(self) -> None:
        assert replace(ROW, holder="a", attempts=2).taken_by("b").attempt == 3

    def test_going_on_after_a_wait_or_in_a_continuation_costs_none(self) -> None:
        waited = replace(ROW, holder="", attempts=2)
        continued = replace(ROW, holder="", attempts=3, earlier_attempts=2)

        assert (waited.taken_by("b").attempts, continued.taken_by("b").attempt) == (2, 1)


def test_shows_what_a_command_shows_of_it() -> None:
    shown = replace(ROW, id=RunId(ROW.id.uuid, 2), output=[1]).as_dict()

    assert shown.keys() == {
        "run_id", "generation", "function", "status", "event_id", "event_name", "accepted_at", "started_at",
        "ended_at", "attempts", "output", "error",
    }  # fmt: skip
    assert (shown["run_id"], shown["generation"], shown["output"]) == (f"{ROW.id.uuid}-2", 2, [1])


def test_every_field_is_a_part_of_its_item() -> None:
    stored = {"id", *item_of(replace(ROW, **{field.name: _some(field.type) for field in fields(ROW)[6:]}))}

    assert {field.name for field in fields(ROW)} - {"cursor"} <= stored  # a cursor is written by go_on alone


def _some(declared: Any) -> Any:
    return 7 if declared == "int" else {"type": "E", "message": "m"} if "dict" in declared else "x"
