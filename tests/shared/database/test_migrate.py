from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from shared.database.connection import connect_to
from shared.database.migrate import MigrationResult, upgrade
from shared.database.tables import metadata

CATALOGUE = """
    SELECT 'column', table_name, column_name,
        concat_ws(' ', data_type, is_nullable, column_default, is_identity, identity_generation)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION ALL
    SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
    UNION ALL
    SELECT 'index', tablename, indexname, indexdef
    FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    ORDER BY 1, 2, 3
"""


def test_brings_an_empty_database_to_the_newest_revision(bare_url: str) -> None:
    result = upgrade(bare_url)

    with connect_to(bare_url) as connection:
        tables = set(inspect(connection).get_table_names())
    assert (result.from_revision, result.to_revision) == (None, result.applied[-1])
    assert tables == {"alembic_version", "organization", "alerts", "error_log"}


def test_does_nothing_the_second_time(bare_url: str) -> None:
    newest = upgrade(bare_url).to_revision

    assert upgrade(bare_url) == MigrationResult(newest, newest, ())


def test_upgrades_that_start_together_do_the_work_once(bare_url: str) -> None:
    start = Barrier(4)

    def upgrade_together(_: int) -> MigrationResult:
        start.wait(10)
        return upgrade(bare_url)

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(upgrade_together, range(4)))

    assert sorted(len(result.applied) for result in results)[:3] == [0, 0, 0]
    assert len({result.to_revision for result in results}) == 1


def test_leaves_the_end_of_the_transaction_to_the_caller(bare_url: str) -> None:
    with connect_to(bare_url) as connection:
        upgrade(connection)
        connection.rollback()

    with connect_to(bare_url) as connection:
        assert inspect(connection).get_table_names() == []


def test_the_tables_and_the_revisions_agree_for_alembic(migrated_url: str) -> None:
    with connect_to(migrated_url) as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_the_tables_and_the_revisions_agree_for_postgresql(bare_url: str, migrated_url: str) -> None:
    with connect_to(bare_url) as connection:
        metadata.create_all(connection)
        of_tables = connection.execute(text(CATALOGUE)).all()

    with connect_to(migrated_url) as connection:
        of_revisions = connection.execute(text(CATALOGUE)).all()
    assert of_revisions == of_tables


def test_runs_from_any_directory(bare_url: str, tmp_path: Path) -> None:
    command = "import sys; from shared.database.migrate import upgrade; print(upgrade(sys.argv[1]).to_revision)"

    done = subprocess.run(
        [sys.executable, "-c", command, bare_url],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == upgrade(bare_url).to_revision
