"""How values look on a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.engine.row import Row

_STYLES = {
    "completed": "green", "failed": "red", "cancelled": "yellow", "running": "cyan", "waiting": "cyan",
    "accepted": "cyan", "skipped": "dim",
}  # fmt: skip


def print_json(value: Any) -> None:
    """Print `value` as JSON, indented."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table without lines. Its last column takes the rest of the terminal; elsewhere nothing is cut."""
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        last = column == columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold")
    for row in rows:
        table.add_row(*row)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        print(line.rstrip())


def _console() -> Console:
    """Return a console that is as wide as the terminal, or as wide as it takes where there is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    return console


def styled(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=_STYLES.get(status, ""))


def print_run(row: Row) -> None:
    """Print one run on a line: what became of it."""
    outcome = "" if row.is_open else summary(row)
    line = Text.assemble(f"  {row.function}  {row.id}  ", styled(row.status), f"  {outcome}")
    _console().print(line, soft_wrap=True)


def summary(row: Row) -> str:
    """Return a run's error or its output in a few words."""
    if row.error:
        return f"{row.error.get('type')}: {row.error.get('message')}"
    return "" if row.output is None else json.dumps(row.output, ensure_ascii=False)
