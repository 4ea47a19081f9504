"""One stack per template for the whole run, each a process that the real command line started."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from local.postgres import Postgres
from local.template.registry import as_text, registry_of
from shared.database.connection import connect_to
from shared.database.tables import metadata
from tests.end_to_end.running import ROOT, RunningStack, start, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

APPLICATION = Path(__file__).parent / "application"


@dataclass(frozen=True)
class Diary:
    """What the stage's functions wrote down."""

    path: Path

    def entries(self, what: str) -> list[dict[str, Any]]:
        """Return the entries of a kind in the order in which they were written."""
        if not self.path.exists():
            return []
        entries = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [entry for entry in entries if entry["what"] == what]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The PostgreSQL of the night's stack: the tests' own, so that they can stop it under the stack's feet."""
    with Postgres.start(tmp_path_factory.mktemp("end_to_end") / "postgres", durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def night_stack(database: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The stack of the real template."""
    data_dir = tmp_path_factory.mktemp("night") / ".nightshift"
    yield start(data_dir, "--workers", "2", database_url=database.url)
    stop(RunningStack(data_dir))


@pytest.fixture(scope="module")
def cleanups(night_stack: RunningStack, database: Postgres) -> RunningStack:
    """The same, with empty tables."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with connect_to(database.url) as connection:
        connection.execute(text("SELECT set_config('lock_timeout', '10s', true)"))
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
    return night_stack


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template of a small application, whose functions misbehave on request."""
    root = tmp_path_factory.mktemp("application") / "checkout"
    # A function's code is imported from beside its template; in an application's own checkout `shared` lies there too.
    shutil.copytree(APPLICATION, root, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("shared", "functions"):
        (root / package).symlink_to(ROOT / package)
    template = root / "template.yaml"
    (root / "registry.json").write_text(as_text(registry_of(template)))
    return template


@pytest.fixture(scope="session")
def stage(application: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """The small application's stack."""
    data_dir = tmp_path_factory.mktemp("stage") / ".nightshift"
    yield start(data_dir, "--template", str(application))
    stop(RunningStack(data_dir))


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """Where this test's functions write what they do."""
    return Diary(tmp_path / "diary")
