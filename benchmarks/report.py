"""What the benchmarks share: medians and percentiles, a table that a page can hold, and the machine it was made on."""

from __future__ import annotations

import math
import os
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest of `values` that at least `percent` per cent of them do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values")
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up; all but the first are aligned to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        return "| " + " | ".join([row[0].ljust(widths[0]), *cells[1:]]) + " |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(each) for each in (head, rule, *rows))


def machine() -> str:
    """Return one line about where the numbers are from, the load of the last minute included."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{platform.system()} {platform.machine()}, {usable} cores, {memory()}Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f}"
    )


def memory() -> str:
    """Return the machine's memory as part of a line; nothing where the system does not tell."""
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return ""
    return f"{size / 2**30:.0f} GiB, "


def verdict(value: float, bar: float, *, unit: str = "") -> str:
    """Return whether a value that is better when it is lower keeps its bar."""
    return f"{'yes' if value <= bar else 'NO'} (≤ {bar:g}{unit})"
