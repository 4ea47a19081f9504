"""How much memory a worker's process holds, and how much it may."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_MB = 1024 * 1024


@dataclass(frozen=True)
class MemoryUse:
    """What a function's process holds of its MemorySize, both in MB of 1024 * 1024 bytes."""

    function: str
    resident_mb: float
    limit_mb: int

    @property
    def is_over(self) -> bool:
        """Whether Lambda would have killed the process."""
        return self.resident_mb > self.limit_mb


def resident_mb(pid: int) -> float | None:
    """Return a process's resident memory; None where the system does not tell (no Linux), or the process is gone.

    https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_bytes().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / _MB
