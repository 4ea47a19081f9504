"""How long a task waits before it is tried again."""

from __future__ import annotations

import random
from typing import Final

# Seconds before attempts 2, 3, …: five attempts take about four minutes, eight about 39.
INTERVALS: Final = (15, 30, 60, 120, 300, 600, 1200, 2400)
JITTER: Final = 0.1  # a fraction to either side, so that what failed together does not come back together


def interval_after(attempt: int, source: random.Random | None = None) -> int:
    """Return the seconds to wait after `attempt` (from 1) failed; past the table's end, its last interval."""
    nominal = INTERVALS[min(attempt, len(INTERVALS)) - 1]
    uniform = (source or random).uniform
    return round(nominal * (1 + uniform(-JITTER, JITTER)))
