"""Shorten what the local stack waits for, so that fault tests run in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class TimeScale:
    """The one local-only setting: every wait takes `factor` of its nominal seconds.

    It scales visibility timeouts, delays and retry intervals, never the value that an API
    answers: a queue with a visibility timeout of 300 says 300 and waits 3 s at factor 0.01.
    """

    factor: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise ValueError(f"a time scale's factor is a number above 0, not {self.factor}")

    def seconds(self, x: float) -> float:
        """Return how long `x` nominal seconds really take."""
        return x * self.factor
