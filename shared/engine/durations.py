"""Lengths of time as an author writes them: `"30s"`, `"5m"`, `"1h30m"`, `"7d"`, `"250ms"`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

Duration = str | timedelta

# Largest unit first, each at most once, so that a length has few spellings and a typing error is seen.
_UNITS: Final = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_TEXT: Final = re.compile("".join(rf"(?:(?P<{unit}>[0-9]{{1,9}}){unit}(?![a-z]))?" for unit in _UNITS))
_MILLISECOND: Final = timedelta(milliseconds=1)


def duration(value: Duration) -> timedelta:
    """Return the length of time that `value` says.

    Args:
        value: a timedelta, or whole numbers with the units d, h, m, s and ms, the largest first.

    Raises:
        ValueError: it is not such a text, not more than zero, or not a whole number of milliseconds.
    """
    length = _parsed(value) if isinstance(value, str) else value
    if not isinstance(length, timedelta):
        raise ValueError(f"not a duration such as '5m' or a timedelta: {value!r}")  # noqa: TRY004 (one error to catch)
    if length <= timedelta(0):
        raise ValueError(f"a duration is more than zero, not {value!r}")
    if length % _MILLISECOND:
        raise ValueError(f"a duration is whole milliseconds, not {value!r}")
    return length


def duration_text(length: timedelta) -> str:
    """Return `length` as `duration` reads it: `1h30m` for ninety minutes. It is what `duration` returned."""
    text, left = "", length
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text


def milliseconds_of(length: timedelta) -> int:
    """Return `length` in whole milliseconds."""
    return length // _MILLISECOND


def _parsed(text: str) -> timedelta:
    match = _TEXT.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"not a duration such as '30s', '5m', '1h30m', '7d' or '250ms': {text[:100]!r}")
    try:
        return sum((int(match[unit] or 0) * size for unit, size in _UNITS.items()), timedelta(0))
    except OverflowError:
        raise ValueError(f"a duration longer than can be counted: {text!r}") from None
