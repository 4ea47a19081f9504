from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.clock import StoppedClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(min_value=datetime(1000, 1, 2), max_value=datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 (hypothesis takes naive bounds)


def test_tells_the_machines_time_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.now()
    after = datetime.now(UTC)

    assert before <= now <= after
    assert now.utcoffset() == timedelta()


def test_stands_where_a_test_stopped_it_until_it_is_moved() -> None:
    stopped = StoppedClock(NOON)

    with clock.using(stopped):
        first = clock.now()
        stopped.advance(timedelta(minutes=5))
        second = clock.now()

    assert (first, second) == (NOON, NOON + timedelta(minutes=5))


def test_goes_back_to_the_clock_before_however_the_block_ends() -> None:
    outer, inner = StoppedClock(NOON), StoppedClock(NOON + timedelta(days=1))

    with clock.using(outer):
        with pytest.raises(ValueError, match="no"), clock.using(inner):
            raise ValueError("no")
        inside = clock.now()

    assert inside == NOON
    assert clock.now() != NOON


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (NOON, "2026-03-01T12:00:00.000Z"),
        (datetime(2026, 7, 1, 5, tzinfo=timezone(timedelta(hours=1))), "2026-07-01T04:00:00.000Z"),
        (datetime(2026, 3, 1, 12, 0, 0, 999_999, tzinfo=UTC), "2026-03-01T12:00:00.999Z"),
    ],
)
def test_writes_a_time_in_utc_with_milliseconds(moment: datetime, text: str) -> None:
    assert clock.isoformat(moment) == text


@given(one=moments, other=moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))

    assert clock.isoformat(earlier) <= clock.isoformat(later)
    if later - earlier >= timedelta(milliseconds=1):
        assert clock.isoformat(earlier) < clock.isoformat(later)


@given(moment=moments)
def test_a_written_time_reads_as_the_same_millisecond(moment: datetime) -> None:
    read = datetime.fromisoformat(clock.isoformat(moment))

    assert timedelta() <= moment - read < timedelta(milliseconds=1)


@given(milliseconds=st.integers(0, 253_402_300_799_999))
def test_milliseconds_come_back_as_they_went(milliseconds: int) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)

    assert clock.milliseconds(moment) == milliseconds


def test_reads_back_the_milliseconds_that_it_wrote() -> None:
    moment = datetime(2026, 3, 29, 1, 2, 3, 456_000, tzinfo=UTC)

    assert clock.at_milliseconds(clock.milliseconds(moment)) == moment
