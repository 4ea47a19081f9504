"""A local stack started as its user starts it, in a process of its own, and what it and its workers keep in memory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3

from local.data_dir import running_pid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
APPLICATION: Final = Path(__file__).parent / "application"
FOREIGN: Final = ("AWS_", "DATABASE_URL", "NIGHTSHIFT_")  # of the caller's environment: a stack must not see it
LIMIT_SECONDS: Final = 120.0  # for anything that is waited for: far more than it takes


@dataclass(frozen=True)
class Stack:
    """The stack that runs on `data_dir`; `started_in` seconds passed from the command to its return."""

    data_dir: Path
    started_in: float

    @property
    def env(self) -> dict[str, str]:
        """What the stack tells applications."""
        return dict(line.split("=", 1) for line in (self.data_dir / "env").read_text().splitlines())

    @property
    def pid(self) -> int:
        """The stack's own process."""
        pid = running_pid(self.data_dir)
        assert pid is not None, "the stack has died"
        return pid

    def client(self, service: str) -> Any:
        """Return a boto3 client as an application on this machine makes it."""
        env = self.env
        session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
        return session.client(service, endpoint_url=env["AWS_ENDPOINT_URL"])  # type: ignore[call-overload] # any


def nightshift(*arguments: str, data_dir: Path, database_url: str | None = None) -> str:
    """Run the command line and return what it printed; raise CalledProcessError with what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    env |= {"PYTHONPATH": str(ROOT)} | ({"DATABASE_URL": database_url} if database_url else {})
    command = [sys.executable, "-m", "local.cli", *arguments, "--data-dir", str(data_dir)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@contextmanager
def running(data_dir: Path, *options: str, database_url: str | None = None) -> Iterator[Stack]:
    """Start a stack and stop it at the end of the block."""
    began = time.perf_counter()
    try:
        nightshift("dev", "--detach", "--port", "0", *options, data_dir=data_dir, database_url=database_url)
        yield Stack(data_dir, time.perf_counter() - began)
    finally:
        if running_pid(data_dir) is not None:
            nightshift("stop", data_dir=data_dir)


def checkout(folder: Path) -> Path:
    """Lay the benchmark's application out in `folder` with `shared` beside it, and return its template."""
    place = folder / "application"
    shutil.copytree(APPLICATION, place, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("shared", "functions"):
        (place / package).symlink_to(ROOT / package)
    return place / "template.yaml"


def until(look: Callable[[], bool], what: str, *, every: float = 0.1) -> None:
    """Return once `look` says so; raise TimeoutError when it takes too long."""
    give_up = time.monotonic() + LIMIT_SECONDS
    while not look():
        if time.monotonic() > give_up:
            raise TimeoutError(f"waited {LIMIT_SECONDS:g} s for {what}")
        time.sleep(every)


@dataclass(frozen=True)
class Process:
    """One process and its memory in bytes; `proportional` shares out pages that several processes use (PSS)."""

    pid: int
    parent: int
    command: str
    resident: int
    proportional: int


def processes_of(stack: Stack) -> list[Process]:
    """Return the stack's process, all that it started, and what else works on its directory (PostgreSQL)."""
    everybody = {each.pid: each for each in map(_process, _pids()) if each is not None}

    def belongs(process: Process | None) -> bool:
        if process is None:
            return False
        return (
            process.pid == stack.pid or str(stack.data_dir) in process.command or belongs(everybody.get(process.parent))
        )

    return [process for process in everybody.values() if belongs(process)]


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _process(pid: int) -> Process | None:
    """Read one process from /proc (proc(5)); None where it has ended meanwhile or is not ours to read."""
    folder = Path("/proc") / str(pid)
    with suppress(OSError, IndexError):
        parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        memory = parse_rollup((folder / "smaps_rollup").read_text())
        return Process(pid, parent, command, memory.get("Rss", 0), memory.get("Pss", 0))
    return None


def parse_rollup(text: str) -> dict[str, int]:
    """Return the sizes in bytes that a `smaps_rollup` names."""
    fields = (line.split() for line in text.splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if len(words) == 3 and words[2] == "kB"}
