"""Fill a database with a night's worth of alerts and errors, and say afterwards whether the right ones are gone.

What must go is computed here in SQL of its own, per organization and with a fingerprint of the rows that must stay: a
cleanup that deleted the right number of wrong rows would not pass.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

ERROR_RETENTION_DAYS = 90
# Alerts are spread over this many times their organization's retention, so that there is something on both sides.
SPREAD = 2.5
# Bad retentions that must be refused while the others go on: nobody set one, and one above a year.
BAD_RETENTIONS = (None, 400)

ORGANIZATIONS = """
    INSERT INTO organization (id, name, slug, retention_days, created_at)
    SELECT id, 'Organization ' || id, id, retention_days, CAST(:now AS timestamptz) - interval '400 days'
    FROM unnest(CAST(:ids AS text[]), CAST(:retentions AS integer[])) AS given (id, retention_days)
"""

# `place` 1 and 2 of each organization stand exactly at the cutoff, which stays, and one microsecond before it, which
# goes. Days are counted as 24 hours, so that no session's time zone plays a part.
ALERTS = """
    INSERT INTO alerts (
        id, organization_id, severity, type, title, description, source, correlation_id, created_at, updated_at,
        acknowledged, acknowledged_at, acknowledged_by, resolved, resolved_at, resolved_by, resolution_notes,
        tags, metadata
    )
    SELECT
        md5(organization_id || place), organization_id,
        (ARRAY['low', 'medium', 'high', 'critical'])[1 + floor(dice * 3.99)::int],
        (ARRAY['security', 'performance', 'availability', 'quota'])[1 + mod(place, 4)],
        'Alert ' || place || ' of ' || organization_id,
        'The error rate stood above its limit for five minutes.', 'monitor', md5(place::text),
        ended_at - interval '3 hours', ended_at, dice < 0.8,
        CASE WHEN dice < 0.8 THEN ended_at - interval '2 hours' END, CASE WHEN dice < 0.8 THEN 'on-call' END,
        resolved, CASE WHEN resolved THEN ended_at END, CASE WHEN resolved THEN 'on-call' END,
        CASE WHEN resolved THEN 'Restarted.' END, '["night"]'::jsonb, jsonb_build_object('attempt', mod(place, 7))
    FROM (
        SELECT
            organization_id, place, random() AS dice, place <= 2 OR random() < 0.7 AS resolved,
            CAST(:now AS timestamptz) - CASE
                WHEN place = 1 THEN make_interval(hours => 24 * retention)
                WHEN place = 2 THEN make_interval(hours => 24 * retention) + interval '1 microsecond'
                ELSE random() * :spread * make_interval(hours => 24 * retention)
            END AS ended_at
        FROM unnest(CAST(:ids AS text[]), CAST(:retentions AS integer[]), CAST(:counts AS integer[]))
                AS given (organization_id, retention, amount),
            generate_series(1, amount) AS place
    ) AS drawn
    ORDER BY ended_at
"""

ERRORS = """
    INSERT INTO error_log (
        timestamp, level, code, category, severity, component, operation, message, organization_id, correlation_id,
        fingerprint, stack, context, retryable
    )
    SELECT
        at, (ARRAY['error', 'error', 'error', 'warn', 'fatal'])[1 + mod(place, 5)], 'E' || (1000 + mod(place, 40)),
        'backend', (ARRAY['low', 'medium', 'high', 'critical'])[1 + mod(place, 4)], 'api', 'request',
        'Upstream answered 502',
        CASE WHEN mod(place, 10) > 0 THEN (CAST(:ids AS text[]))[1 + mod(place, cardinality(CAST(:ids AS text[])))] END,
        md5(place::text), md5((mod(place, 40))::text),
        repeat('  at handler (/app/server.js:' || mod(place, 900) || ')' || chr(10), 6),
        jsonb_build_object('status', 502), mod(place, 3) = 0
    FROM (
        SELECT place, CAST(:at AS timestamptz) - CASE
            WHEN place = 1 THEN make_interval(hours => 24 * :retention)
            WHEN place = 2 THEN make_interval(hours => 24 * :retention) + interval '1 microsecond'
            ELSE random() * interval '200 days'
        END AS at
        FROM generate_series(1, :amount) AS place
    ) AS drawn
    ORDER BY at
"""

EXPECTED_ALERTS = """
    SELECT
        owner.id, owner.retention_days,
        count(alert.id) FILTER (WHERE expired) AS gone,
        count(alert.id) FILTER (WHERE NOT expired) AS kept,
        coalesce(bit_xor(hashtextextended(alert.id, 0)) FILTER (WHERE NOT expired), 0) AS fingerprint
    FROM organization AS owner
    LEFT JOIN (
        SELECT a.id, a.organization_id,
            o.retention_days IS NOT NULL AND o.retention_days BETWEEN 1 AND 365 AND a.resolved IS TRUE
                AND coalesce(extract(epoch FROM :now - a.resolved_at) > 86400 * o.retention_days, false) AS expired
        FROM alerts AS a JOIN organization AS o ON o.id = a.organization_id
    ) AS alert ON alert.organization_id = owner.id
    GROUP BY owner.id, owner.retention_days ORDER BY owner.id
"""

EXPECTED_ERRORS = """
    SELECT
        count(*) FILTER (WHERE expired) AS gone, count(*) FILTER (WHERE NOT expired) AS kept,
        coalesce(bit_xor(hashint8extended(id, 0)) FILTER (WHERE NOT expired), 0) AS fingerprint
    FROM (SELECT id, extract(epoch FROM :now - timestamp) > 86400 * :retention AS expired FROM error_log) AS judged
"""

LEFT_ALERTS = """
    SELECT organization_id, count(*), bit_xor(hashtextextended(id, 0)) FROM alerts GROUP BY organization_id
"""
LEFT_ERRORS = "SELECT count(*), coalesce(bit_xor(hashint8extended(id, 0)), 0) FROM error_log"


@dataclass(frozen=True)
class Fate:
    """How many rows must go and how many must stay, with a fingerprint of the ids of those that stay."""

    gone: int
    kept: int
    fingerprint: int


@dataclass(frozen=True)
class OrganizationFate(Fate):
    """The same for one organization's alerts; `refused` when its retention is not 1 to 365 days."""

    organization_id: str
    retention_days: int | None

    @property
    def refused(self) -> bool:
        """Whether the worker must refuse this organization's message."""
        return self.retention_days is None or not 1 <= self.retention_days <= 365


@dataclass(frozen=True)
class Expectation:
    """What the night must do: to each organization's alerts, in the order of their ids, and to the errors."""

    organizations: tuple[OrganizationFate, ...]
    errors: Fate


def seed(  # noqa: PLR0913 (a night's dimensions, all with defaults)
    connection: Connection,
    *,
    now: datetime,
    organizations: int = 400,
    alerts: int = 120_000,
    errors: int = 40_000,
    errors_at: datetime | None = None,
    random_seed: int = 7,
) -> None:
    """Add a night's rows to empty tables; the same arguments add the same rows.

    The largest organizations hold most alerts, two have a retention that must be refused, the last has no alert at all.

    Args:
        connection: in a transaction, which the caller commits.
        now: the moment that the alerts' cleanup counts from; rows stand exactly at its cutoffs.
        organizations: how many there are, at least four.
        alerts: how many they have together, about.
        errors: how many are in the error log.
        errors_at: the moment that the errors' cleanup counts from, when it is another.
        random_seed: another seed is another night.
    """
    draw = random.Random(random_seed)  # noqa: S311 (sample data)
    ids = [f"org-{number:05d}" for number in range(1, organizations + 1)]
    retentions = _retentions(draw, organizations)
    counts = _uneven(draw, organizations, alerts)
    connection.execute(text("SELECT setseed(:seed)"), {"seed": draw.random()})
    connection.execute(text(ORGANIZATIONS), {"now": now, "ids": ids, "retentions": retentions})
    spread = [days or 30 for days in retentions]
    given = {"ids": ids, "retentions": spread, "counts": counts, "spread": SPREAD}
    connection.execute(text(ALERTS), {"now": now, **given})
    amount = {"amount": errors, "retention": ERROR_RETENTION_DAYS, "ids": ids}
    connection.execute(text(ERRORS), {"at": errors_at or now, **amount})


def expectation(
    connection: Connection,
    now: datetime,
    *,
    errors_at: datetime | None = None,
    error_retention_days: int = ERROR_RETENTION_DAYS,
) -> Expectation:
    """Say, before the jobs run, what they must leave when they count from `now` (and `errors_at`)."""
    rows = connection.execute(text(EXPECTED_ALERTS), {"now": now}).all()
    errors = connection.execute(
        text(EXPECTED_ERRORS), {"now": errors_at or now, "retention": error_retention_days}
    ).one()
    return Expectation(
        organizations=tuple(OrganizationFate(gone, kept, mark, name, days) for name, days, gone, kept, mark in rows),
        errors=Fate(*errors),
    )


def check(connection: Connection, expected: Expectation) -> list[str]:
    """Compare the database after the jobs with what was expected; return what is wrong, a sentence each."""
    rows = connection.execute(text(LEFT_ALERTS)).all()
    found: dict[str, tuple[int, int]] = {name: (kept, mark) for name, kept, mark in rows}
    problems = []
    for each in expected.organizations:
        problems += _compare(f"alerts of {each.organization_id}", each, found.pop(each.organization_id, (0, 0)))
    kept, mark = connection.execute(text(LEFT_ERRORS)).one()
    return problems + _compare("error_log", expected.errors, (kept, mark))


def _compare(what: str, expected: Fate, found: tuple[int, int]) -> list[str]:
    kept, fingerprint = found
    if kept != expected.kept:
        return [f"{what}: {expected.kept} rows must stay, {kept} are there"]
    if fingerprint != expected.fingerprint:
        return [f"{what}: {kept} rows are there as expected, but not the same ones"]
    return []


def _retentions(draw: random.Random, organizations: int) -> list[int | None]:
    retentions: list[int | None] = [draw.choice((7, 14, 30, 60, 90, 180, 365)) for _ in range(organizations)]
    # Neither the largest nor the empty last one: a refusal must leave rows behind to be seen.
    for place, bad in enumerate(BAD_RETENTIONS, start=1):
        retentions[place] = bad
    return retentions


def _uneven(draw: random.Random, organizations: int, total: int) -> list[int]:
    """Share `total` out as 1, 1/2, 1/3, …, the largest first; at least two each, none for the last."""
    weights = [draw.uniform(0.8, 1.2) / rank for rank in range(1, organizations)]
    whole = sum(weights)
    return [max(2, round(total * weight / whole)) for weight in weights] + [0]
