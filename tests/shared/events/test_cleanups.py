"""The events of the cleanups, with the payloads that their seeds send."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from shared.events.alerts import CleanupResolvedAlerts
from shared.events.errors import CleanupOldErrors

REFUSED: list[Any] = [None, 0, -1, 366, 30.5, 30.0, "30", "", True, [30], {}]


def test_takes_what_the_seed_sends_for_an_organization() -> None:
    event = CleanupResolvedAlerts.model_validate({"organization_id": "org-123", "retention_days": 90})

    assert CleanupResolvedAlerts.event_name == "alerts/cleanup.resolved.alerts"
    assert (event.organization_id, event.retention_days) == ("org-123", 90)
    assert event.data() == {"organization_id": "org-123", "retention_days": 90}


def test_takes_what_the_seed_sends_for_the_error_log() -> None:
    event = CleanupOldErrors.model_validate({"retention_days": 90})

    assert CleanupOldErrors.event_name == "errors/cleanup.old.errors"
    assert event.data() == {"retention_days": 90}


@pytest.mark.parametrize("days", [1, 90, 365])
def test_a_retention_is_a_year_at_most(days: int) -> None:
    assert CleanupOldErrors(retention_days=days).retention_days == days


@pytest.mark.parametrize("days", REFUSED)
def test_refuses_any_other_retention(days: Any) -> None:
    with pytest.raises(ValidationError, match="retention_days"):
        CleanupResolvedAlerts.model_validate({"organization_id": "org-123", "retention_days": days})
    with pytest.raises(ValidationError, match="retention_days"):
        CleanupOldErrors.model_validate({"retention_days": days})


@pytest.mark.parametrize("organization", [None, "", 7])
def test_refuses_an_organization_that_is_none(organization: Any) -> None:
    with pytest.raises(ValidationError, match="organization_id"):
        CleanupResolvedAlerts.model_validate({"organization_id": organization, "retention_days": 30})


@pytest.mark.parametrize("missing", ["organization_id", "retention_days"])
def test_refuses_data_that_lacks_a_field(missing: str) -> None:
    data = {"organization_id": "org-123", "retention_days": 30}
    del data[missing]

    with pytest.raises(ValidationError, match=missing):
        CleanupResolvedAlerts.model_validate(data)


@pytest.mark.parametrize("days", [*REFUSED, 30])
def test_passes_on_as_read_what_its_receiver_refuses(days: Any) -> None:
    event = CleanupResolvedAlerts.as_read(organization_id="org-123", retention_days=days)

    assert event.data() == {"organization_id": "org-123", "retention_days": days}


def test_cannot_be_changed_on_its_way() -> None:
    event = CleanupOldErrors(retention_days=30)

    with pytest.raises(ValidationError, match="frozen"):
        event.retention_days = 31  # type: ignore[misc] # mypy knows that it cannot
