"""Compare deletion in chunks with one plain DELETE of the same rows in psql, in rows per second.

    python -m benchmarks.chunked_deletion [--rows N] [--rounds N] [--shuffled]

Both delete the expired half of one large organization's alerts, which lie among those of others as they would after
months of traffic. The two take turns, in changing order, on the same table: it is copied afresh, analyzed and written
out before each. psql reports its own statement's time, without its start; the chunks' time holds everything, the
connection for each chunk too.

Alerts are resolved roughly in the order in which they were raised, so neighbours in the index are neighbours in the
table. `--shuffled` shows the worst case, where they are not: each chunk then touches most of the table's pages.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import text

from local.postgres import Postgres
from shared.database import Expired, configure, delete_in_chunks, transaction
from shared.database.migrate import upgrade
from shared.database.tables import alerts

BAR = 0.60
NOW = datetime(2026, 5, 3, 4, 0, tzinfo=UTC)
CUTOFF = NOW - timedelta(days=30)
LARGE = "org-large"

# Every other row is the large organization's; its resolved ones are expired when they are older than 30 of 60 days.
ORIGINAL = """
    CREATE TABLE original AS
    SELECT
        md5(place::text) AS id, CASE WHEN mod(place, 2) = 0 THEN :large ELSE 'org-' || mod(place, 97) END AS owner,
        CAST(:now AS timestamptz) - random() * interval '6 hours'
            - interval '60 days' * CASE WHEN :shuffled THEN random() ELSE 1 - place::float8 / :total END AS resolved_at
    FROM generate_series(1, :total) AS place ORDER BY place
"""
REFILL = """
    INSERT INTO alerts (
        id, organization_id, severity, type, title, description, source, created_at, updated_at, resolved, resolved_at
    )
    SELECT id, owner, 'high', 'performance', 'Alert ' || id, repeat('The error rate stood above its limit. ', 4),
        'monitor', resolved_at - interval '1 hour', resolved_at, true, resolved_at
    FROM original
"""
PLAIN = f"""
    DELETE FROM alerts WHERE organization_id = '{LARGE}' AND resolved AND resolved_at < '{CUTOFF.isoformat()}'
"""


def main() -> int:
    """Measure, print, and fail when the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="rows to delete in each round (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each kind (default: %(default)s)")
    parser.add_argument("--shuffled", action="store_true", help="resolve in no order; the bar does not apply")
    arguments = parser.parse_args()
    given = {"large": LARGE, "now": NOW, "total": arguments.rows * 4, "shuffled": arguments.shuffled}
    with tempfile.TemporaryDirectory() as folder, Postgres.start(Path(folder)) as postgres:
        configure(postgres.url)
        upgrade(postgres.url)
        with transaction() as connection:
            connection.execute(text(ORIGINAL), given)
            # It would start in the middle of whichever round is running.
            connection.execute(text("ALTER TABLE alerts SET (autovacuum_enabled = off)"))
        plain, chunked = measure(postgres, arguments.rounds)
    return report(plain, chunked, bar=0.0 if arguments.shuffled else BAR)


def measure(postgres: Postgres, rounds: int) -> tuple[list[float], list[float]]:
    """Return the rows per second of each round: of the plain DELETE, and of the chunks."""
    plain, chunked = [], []
    print(f"{'round':>5}  {'plain DELETE':>14}  {'in chunks':>14}  {'ratio':>6}")
    for number in range(1, rounds + 1):
        # Whoever goes second finds the system's caches warmer: they take turns at that too.
        if number % 2:
            plain.append(delete_plainly(postgres))
        chunked.append(delete_in_pieces(postgres))
        if not number % 2:
            plain.append(delete_plainly(postgres))
        print(
            f"{number:>5}  {plain[-1]:>12,.0f}/s  {chunked[-1]:>12,.0f}/s  {chunked[-1] / plain[-1]:>6.0%}", flush=True
        )
    return plain, chunked


def delete_plainly(postgres: Postgres) -> float:
    """Delete with one statement in psql; return rows per second."""
    refill(postgres)
    output = psql(postgres, r"\timing on", PLAIN)
    deleted = re.search(r"DELETE (\d+)", output)
    milliseconds = re.search(r"Time: ([\d.]+) ms", output)
    assert deleted is not None, output
    assert milliseconds is not None, output
    return int(deleted[1]) / float(milliseconds[1]) * 1000


def delete_in_pieces(postgres: Postgres) -> float:
    """Delete as the nightly job does; return rows per second."""
    refill(postgres)
    expired = Expired(
        table=alerts,
        time=alerts.c.resolved_at,
        key=alerts.c.id,
        before=CUTOFF,
        where=(alerts.c.organization_id == LARGE, alerts.c.resolved),
    )
    started = time.perf_counter()
    deleted = sum(chunk.deleted for chunk in delete_in_chunks(expired))
    return deleted / (time.perf_counter() - started)


def refill(postgres: Postgres) -> None:
    """Make the table what it was, with its statistics current and nothing left to write."""
    psql(postgres, "TRUNCATE alerts", REFILL, "VACUUM ANALYZE alerts", "CHECKPOINT")


def psql(postgres: Postgres, *commands: str) -> str:
    """Run each command as a statement of its own; return what psql printed."""
    words = [str(postgres.psql), "--no-psqlrc", "--set", "ON_ERROR_STOP=1", postgres.url]
    for command in commands:
        words += ["--command", command]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def report(plain: list[float], chunked: list[float], *, bar: float) -> int:
    """Print the medians and their ratio; return the exit code."""
    ratio = median(chunked) / median(plain)
    print(f"median  {median(plain):>11,.0f}/s  {median(chunked):>12,.0f}/s  {ratio:>6.0%}  (at least {bar:.0%})")
    return 0 if ratio >= bar else 1


if __name__ == "__main__":
    sys.exit(main())
