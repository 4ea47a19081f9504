from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select, text

from local.sample_night import Expectation, check, expectation, seed
from shared.database import transaction
from shared.database.tables import alerts, error_log, organization
from tests.database import add, alert, alert_ids, amount

NOW = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)
ERRORS_AT = NOW - timedelta(hours=1)


@pytest.fixture
def expected(empty_database: str) -> Expectation:
    """What must become of a small night that stands in the database."""
    with transaction() as connection:
        seed(connection, now=NOW, errors_at=ERRORS_AT, organizations=20, alerts=2_000, errors=500)
        return expectation(connection, NOW, errors_at=ERRORS_AT)


def clean_up() -> None:
    """Do by the plainest means what the nightly jobs do."""
    with transaction() as connection:
        rows = connection.execute(select(organization.c.id, organization.c.retention_days)).all()
        for name, days in rows:
            if days is not None and 1 <= days <= 365:
                gone = alerts.c.resolved & (alerts.c.resolved_at < NOW - timedelta(days=days))
                connection.execute(delete(alerts).where(alerts.c.organization_id == name, gone))
        connection.execute(delete(error_log).where(error_log.c.timestamp < ERRORS_AT - timedelta(days=90)))


def problems(expected: Expectation) -> list[str]:
    with transaction(read_only=True) as connection:
        return check(connection, expected)


def test_a_cleanup_that_deletes_what_it_should_passes(expected: Expectation) -> None:
    clean_up()

    assert problems(expected) == []


def test_expects_deletions_and_survivors_in_every_good_organization_but_the_empty_one(expected: Expectation) -> None:
    *others, empty = expected.organizations

    assert (empty.gone, empty.kept) == (0, 0)
    assert all(each.gone >= 1 and each.kept >= 1 for each in others if not each.refused)
    assert expected.errors.gone > 100
    assert expected.errors.kept > 100


def test_expects_nothing_gone_where_the_retention_is_refused(expected: Expectation) -> None:
    refused = [each for each in expected.organizations if each.refused]

    assert [each.retention_days for each in refused] == [None, 400]
    assert all(each.gone == 0 and each.kept > 0 for each in refused)


def test_organizations_are_of_uneven_size(expected: Expectation) -> None:
    sizes = [each.gone + each.kept for each in expected.organizations]

    assert max(sizes) > 10 * min(size for size in sizes if size)


def test_notices_that_nothing_was_done(expected: Expectation) -> None:
    assert any("org-00001" in problem for problem in problems(expected))
    assert any("error_log" in problem for problem in problems(expected))


def test_notices_a_row_too_many_gone(expected: Expectation) -> None:
    clean_up()
    with transaction() as connection:
        connection.execute(delete(alerts).where(alerts.c.id == min(alert_ids())))

    assert len(problems(expected)) == 1


def test_notices_the_row_at_the_cutoff_gone(expected: Expectation) -> None:
    clean_up()
    with transaction() as connection:
        at_cutoff = text("DELETE FROM error_log WHERE timestamp = :cutoff")
        assert connection.execute(at_cutoff, {"cutoff": ERRORS_AT - timedelta(days=90)}).rowcount == 1

    assert problems(expected) == [
        f"error_log: {expected.errors.kept} rows must stay, {expected.errors.kept - 1} are there"
    ]


def test_notices_the_right_number_of_wrong_rows(expected: Expectation) -> None:
    clean_up()
    with transaction() as connection:
        connection.execute(delete(alerts).where(alerts.c.id == min(alert_ids())))
    missing = problems(expected)[0].split()[2].rstrip(":")
    add(alerts, [alert(id="another", organization_id=missing)])

    assert "not the same ones" in problems(expected)[0]


def test_the_same_arguments_make_the_same_night(expected: Expectation) -> None:
    with transaction() as connection:
        connection.execute(text("TRUNCATE organization, alerts, error_log RESTART IDENTITY"))
        seed(connection, now=NOW, errors_at=ERRORS_AT, organizations=20, alerts=2_000, errors=500)
        again = expectation(connection, NOW, errors_at=ERRORS_AT)

    assert again == expected


def test_a_night_has_about_as_many_rows_as_asked_for(expected: Expectation) -> None:
    assert 1_900 < amount(alerts) < 2_100
    assert amount(error_log) == 500
