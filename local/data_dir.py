"""One stack per data directory: who holds it, and which process that is."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_PATIENCE_SECONDS: Final = 0.5  # `running_pid` of another process holds the lock for a moment


class AlreadyRunningError(RuntimeError):
    """A stack runs on this data directory; the message says which process."""


@contextmanager
def lock(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for one stack; the system lets go of it however the process ends."""
    with (data_dir / "pid").open("a+") as held:
        end = monotonic() + LOCK_PATIENCE_SECONDS
        while not _flocked(held, fcntl.LOCK_EX):
            if monotonic() > end:
                pid = (data_dir / "pid").read_text().strip()
                raise AlreadyRunningError(f"a stack runs on {data_dir} already (process {pid})")
            sleep(0.02)
        held.truncate(0)
        held.write(str(os.getpid()))
        held.flush()
        yield
        held.truncate(0)


def running_pid(data_dir: Path) -> int | None:
    """Return the process that runs a stack on `data_dir`, or None."""
    try:
        held = (data_dir / "pid").open("r+")
    except FileNotFoundError:
        return None
    with held:
        return None if _flocked(held, fcntl.LOCK_SH) else int(held.read() or 0) or None


def _flocked(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
