from __future__ import annotations

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from shared.database import transaction
from shared.database.tables import alerts, error_log, organization
from tests.database import add, alert, alert_ids, error, error_messages


@pytest.mark.parametrize("days", [None, -1, 0, 30, 400])
def test_an_organization_may_have_any_retention(empty_database: str, days: int | None) -> None:
    add(organization, [{"id": "1", "name": "One", "slug": "one", "retention_days": days}])

    with transaction() as connection:
        assert connection.execute(select(organization.c.retention_days)).scalars().all() == [days]


def test_two_organizations_cannot_share_a_slug(empty_database: str) -> None:
    with pytest.raises(DBAPIError, match="uq_organization_slug"):
        add(organization, [{"id": each, "name": each, "slug": "same"} for each in ("1", "2")])


def test_an_alert_may_belong_to_an_organization_that_is_not_known_here(empty_database: str) -> None:
    add(alerts, [alert(id="orphan", organization_id="unheard-of")])

    assert alert_ids() == {"orphan"}


@pytest.mark.parametrize("severity", ["low", "HIGH", "Critical"])
def test_a_severity_may_be_written_in_either_case(empty_database: str, severity: str) -> None:
    add(alerts, [alert(id=severity, severity=severity)])

    assert alert_ids() == {severity}


def test_an_unknown_severity_is_refused(empty_database: str) -> None:
    with pytest.raises(DBAPIError, match="ck_alerts_severity"):
        add(alerts, [alert(severity="whatever")])


def test_an_unknown_level_is_refused(empty_database: str) -> None:
    with pytest.raises(DBAPIError, match="ck_error_log_level"):
        add(error_log, [error(level="whatever")])


def test_an_error_needs_no_more_than_a_message(empty_database: str) -> None:
    with transaction() as connection:
        connection.execute(insert(error_log).values(message="alone"))

    assert error_messages() == {"alone"}
