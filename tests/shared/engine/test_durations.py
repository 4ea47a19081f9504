from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.durations import duration, duration_text, milliseconds_of


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("250ms", timedelta(milliseconds=250)),
        ("1d1h1m1s1ms", timedelta(days=1, hours=1, minutes=1, seconds=1, milliseconds=1)),
        ("5m7ms", timedelta(minutes=5, milliseconds=7)),
        ("90m", timedelta(minutes=90)),
        ("0h5m", timedelta(minutes=5)),
    ],
)
def test_reads_what_an_author_writes(text: str, length: timedelta) -> None:
    assert duration(text) == length


def test_takes_a_timedelta_as_it_is() -> None:
    assert duration(timedelta(minutes=5)) == timedelta(minutes=5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "5",
        "5 m",
        "m",
        "5m ",
        "-5m",
        "1.5h",
        "5M",
        "5min",
        "30m1h",
        "5m5m",
        "1y",
        "\N{ARABIC-INDIC DIGIT FIVE}m",
        "5m\n",
        "9" * 5000 + "s",
    ],
)
def test_refuses_any_other_text_and_shows_how_it_is_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"such as '30s'.*250ms") as refused:
        duration(text)

    assert len(str(refused.value)) < 250


@pytest.mark.parametrize("nothing", ["0s", "0d0h", timedelta(0), timedelta(seconds=-1)])
def test_refuses_what_is_not_more_than_zero(nothing: str | timedelta) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        duration(nothing)


@pytest.mark.parametrize("value", [5, None, 5.0, ["5m"]])
def test_refuses_what_is_neither_text_nor_timedelta(value: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        duration(value)  # type: ignore[arg-type]


def test_refuses_parts_of_a_millisecond() -> None:
    with pytest.raises(ValueError, match="whole milliseconds"):
        duration(timedelta(microseconds=1500))


def test_refuses_more_than_can_be_counted() -> None:
    with pytest.raises(ValueError, match="longer than"):
        duration("999999999d999999999h")


@given(st.integers(1, 10**14))
def test_reads_what_it_writes(milliseconds: int) -> None:
    length = timedelta(milliseconds=milliseconds)

    assert duration(duration_text(length)) == length
    assert milliseconds_of(length) == milliseconds


def test_writes_the_largest_units_first_and_no_empty_ones() -> None:
    assert duration_text(timedelta(minutes=90)) == "1h30m"
    assert duration_text(timedelta(days=7, milliseconds=5)) == "7d5ms"
