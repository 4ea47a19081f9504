"""The time of day, which a test can stop and move."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock(Protocol):
    """Tells the time in UTC."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the machine's time, aware, in UTC."""
        return datetime.now(UTC)


class StoppedClock:
    """A clock that stands still until it is moved: for tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        """Return the time at which the clock stands."""
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move the clock on by `by`."""
        self._at += by


_clock: Clock = SystemClock()


def now() -> datetime:
    """Return the time of the clock in use, aware, in UTC."""
    return _clock.now()


@contextmanager
def using(clock: Clock) -> Iterator[None]:
    """Tell the time by `clock` inside the block."""
    global _clock  # noqa: PLW0603 (one clock a process is what a clock is)
    before, _clock = _clock, clock
    try:
        yield
    finally:
        _clock = before


def isoformat(moment: datetime) -> str:
    """Return `moment` as RFC 3339 in UTC with milliseconds and `Z`, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(moment: datetime) -> int:
    """Return `moment` as milliseconds since 1970-01-01 UTC."""
    return round(moment.timestamp() * 1000)


def at_milliseconds(milliseconds: float) -> datetime:
    """Return the moment that is `milliseconds` after 1970-01-01, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
