from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from shared.events.schedule import ScheduleFired


def test_takes_what_the_scheduler_fills_in() -> None:
    event = ScheduleFired.model_validate({"schedule": "demo-welcome", "scheduled_at": "2026-03-01T05:00:00Z"})

    assert event.schedule == "demo-welcome"
    assert event.scheduled_at == datetime(2026, 3, 1, 5, tzinfo=UTC)


def test_refuses_a_keyword_that_nobody_filled_in() -> None:
    with pytest.raises(ValidationError, match="scheduled_at"):
        ScheduleFired.model_validate({"schedule": "x", "scheduled_at": "<aws.scheduler.scheduled-time>"})
