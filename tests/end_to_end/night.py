"""A night of the real template, small: its rows, its two schedules, and what it has to leave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, text

from local.sample_night import Expectation, check, expectation, seed
from shared import clock
from shared.database.connection import connect_to
from shared.database.tables import alerts

if TYPE_CHECKING:
    from tests.end_to_end.running import RunningStack

WORKER: Final = "alerts-cleanup-resolved"
EXPIRED: Final = """
    INSERT INTO alerts (id, organization_id, severity, type, title, source, resolved, resolved_at)
    SELECT :organization || '-' || place, :organization, 'low', 'quota', 'Full', 'monitor', true,
        now() - make_interval(days => 40, secs => -place)
    FROM generate_series(1, :amount) AS place
"""


@dataclass(frozen=True)
class Night:
    """A night that was fired: what it has to do, and the runs of its two schedules."""

    stack: RunningStack
    url: str
    at: str
    expected: Expectation
    prepare: str
    errors: str

    @property
    def organizations(self) -> list[str]:
        """Every organization's id."""
        return [each.organization_id for each in self.expected.organizations]

    @property
    def alerts(self) -> int:
        """How many alerts there were."""
        return sum(each.gone + each.kept for each in self.expected.organizations)

    def alerts_runs(self, generation: str = "") -> dict[str, dict[str, Any]]:
        """Wait for the ends of the fan-out's runs and return them by organization."""
        runs = self.stack.all_ended(WORKER, {f"{self.prepare}{generation}/{each}" for each in self.organizations})
        return {event_id.rpartition("/")[2]: run for event_id, run in runs.items()}

    def errors_run(self, generation: str = "") -> dict[str, Any]:
        """Wait for the end of the error log's run and return it."""
        [run] = self.stack.all_ended("errors-cleanup-old", {f"{self.errors}{generation}/cleanup"}).values()
        return run

    def problems(self) -> list[str]:
        """What is wrong in the database."""
        with connect_to(self.url) as connection:
            return check(connection, self.expected)


def fire(stack: RunningStack, url: str, *, organizations: int, rows: int) -> Night:
    """Seed a night and fire both schedules."""
    moment = clock.now().replace(microsecond=0)
    with connect_to(url) as connection:
        seed(connection, now=moment, organizations=organizations, alerts=rows, errors=rows // 2)
        expected = expectation(connection, moment)
    at = moment.isoformat()
    fired = [stack.ask("fire", name, "--at", at) for name in ("alerts-prepare-cleanup", "errors-prepare-cleanup")]
    return Night(stack, url, at, expected, fired[0]["run_id"], fired[1]["run_id"])


def add_expired(url: str, organization: str, amount: int) -> None:
    """Give an organization alerts `<organization>-1` and so on, resolved 40 days ago, a second apart in this order."""
    with connect_to(url) as connection:
        connection.execute(text(EXPIRED), {"organization": organization, "amount": amount})


def alerts_of(url: str, organization: str) -> int:
    """Return how many alerts an organization has."""
    with connect_to(url) as connection:
        query = select(func.count()).select_from(alerts).where(alerts.c.organization_id == organization)
        return connection.execute(query).scalar_one()


def all_alerts(url: str) -> int:
    """Return how many alerts there are."""
    with connect_to(url) as connection:
        return connection.execute(select(func.count()).select_from(alerts)).scalar_one()
