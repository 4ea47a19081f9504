from __future__ import annotations

import random

from shared.engine.retries import INTERVALS, JITTER, interval_after


def test_waits_about_four_minutes_over_five_attempts_and_39_over_eight() -> None:
    assert sum(INTERVALS[:4]) == 225
    assert sum(INTERVALS[:7]) == 2325


def test_stays_within_the_jitter() -> None:
    source = random.Random(1)

    waits = [interval_after(3, source) for _ in range(1000)]

    assert min(waits) >= 60 * (1 - JITTER) - 1
    assert max(waits) <= 60 * (1 + JITTER) + 1
    assert len(set(waits)) > 5


def test_repeats_its_last_interval_past_the_end() -> None:
    assert interval_after(50) >= INTERVALS[-1] * (1 - JITTER) - 1
