"""The nightly cleanups on sample data: fire both schedules, follow them to their end, and check what they left."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.cli.sending import fire_schedule, follow
from local.cli.target import Target, find_target
from local.runs import count_ended, list_runs
from local.sample_night import Expectation, OrganizationFate, check, expectation, seed
from local.stack import LocalStack, Options
from shared import clock
from shared.database.connection import connect_to

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from shared.engine.row import Row

DATA_DIR: Final = Path(".nightshift") / "demo"
WORKER: Final = "alerts-cleanup-resolved"
COUNTS: Final = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
LIMIT_SECONDS: Final = 240.0
LARGEST: Final = 10  # organizations that get a line of their own
CONSOLE: Final = Console(highlight=False)


@dataclass(frozen=True)
class Night:
    """What the jobs reported: the fan-out's runs by organization, and the other runs."""

    prepare: Row
    errors: Row
    alerts: dict[str, Row]

    @property
    def alerts_deleted(self) -> int:
        """How many alerts the runs say they deleted."""
        return sum(row.output["deleted"] for row in self.alerts.values() if row.status == "completed")

    @property
    def errors_deleted(self) -> int:
        """How many error records the run says it deleted."""
        return int(self.errors.output["deleted"]) if self.errors.status == "completed" else 0


def run() -> bool:
    """Run the demonstration and print what happened; return whether everything was as it had to be."""
    shutil.rmtree(DATA_DIR, ignore_errors=True)
    began = time.monotonic()
    with LocalStack.start(Options(data_dir=DATA_DIR, port=0)) as stack:
        assert stack.database is not None, "the template needs one"
        url = stack.database.credentials.url
        _say(f"The local stack is ready in {stack.started_in:.1f} s: real PostgreSQL, real template.yaml, no Docker.")
        at = clock.now().replace(microsecond=0)
        with _timed("Seeded a night"), connect_to(url) as connection:
            seed(connection, now=at)
            expected = expectation(connection, at)
        _say(
            f"  {len(expected.organizations)} organizations, {_alerts(expected):,} alerts, "
            f"{expected.errors.gone + expected.errors.kept:,} error records"
        )
        target = find_target(DATA_DIR)
        with _timed("Both schedules fired and followed to their end"):
            night = _run_night(target, at, len(expected.organizations))
        with connect_to(url) as connection:
            problems = check(connection, expected) + _disagreements(night, expected)
        problems += _misplaced(target, sum(each.refused for each in expected.organizations))
    _print_results(night, expected)
    _say("")
    for problem in problems:
        _say(f"[red]WRONG[/] {problem}")
    if not problems:
        _say(
            "[green]Checked:[/] every row that had to go is gone and every row that had to stay is there, by count and"
        )
        _say(
            "  by fingerprint, per organization. The runs reported what they did. The bad retentions were refused, and"
        )
        _say("  their messages are in the dead-letter queue.")
    _say(f"All of it took {time.monotonic() - began:.1f} s.")
    return not problems


def _run_night(target: Target, at: datetime, organizations: int) -> Night:
    prepare, _ = fire_schedule(target, "alerts-prepare-cleanup", at)
    fire_schedule(target, "errors-prepare-cleanup", at)
    _watch(target, organizations)
    [prepared] = follow(target, [("alerts-prepare-cleanup", prepare)], LIMIT_SECONDS)
    [errors] = _ended(target, "errors-cleanup-old")
    by_organization = {row.envelope.detail.data["organization_id"]: row for row in _ended(target, WORKER)}
    return Night(prepared, errors, by_organization)


def _watch(target: Target, organizations: int) -> None:
    """Show the runs' progress until all have ended."""
    columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    dynamodb = target.client("dynamodb")
    end = time.monotonic() + LIMIT_SECONDS
    with Progress(*columns, console=CONSOLE) as progress:
        bar = progress.add_task("organizations cleaned up", total=organizations)
        while time.monotonic() < end:
            ended = count_ended(dynamodb, target.ledger_table, WORKER)
            progress.update(bar, completed=ended)
            if ended >= organizations and count_ended(dynamodb, target.ledger_table, "errors-cleanup-old"):
                return
            time.sleep(0.5)
    raise TimeoutError(f"the runs had not ended after {LIMIT_SECONDS:.0f} s")


def _ended(target: Target, function: str) -> list[Row]:
    rows = list_runs(target.client("dynamodb"), target.ledger_table, [function], limit=None)
    return [row for row in rows if not row.is_open]


def _disagreements(night: Night, expected: Expectation) -> list[str]:
    """Compare what the runs reported with what they had to do; return what is wrong, a sentence each."""
    problems = []
    for each in expected.organizations:
        row = night.alerts.get(each.organization_id)
        if row is None:
            problems.append(f"{each.organization_id}: no run")
        elif row.status != ("failed" if each.refused else "completed"):
            problems.append(f"{each.organization_id}: its run is {row.status}: {row.error}")
        elif not each.refused and row.output["deleted"] != each.gone:
            problems.append(f"{each.organization_id}: {row.output['deleted']} reported, {each.gone} expected")
    if night.prepare.output != {"sent": len(expected.organizations)}:
        problems.append(
            f"alerts-prepare-cleanup: {night.prepare.status}: {night.prepare.output or night.prepare.error}"
        )
    if night.errors_deleted != expected.errors.gone:
        problems.append(f"errors-cleanup-old: {night.errors_deleted} reported, {expected.errors.gone} expected")
    return problems


def _misplaced(target: Target, refused: int) -> list[str]:
    """Compare the messages that wait in the worker's queues with those that had to be put aside."""
    sqs = target.client("sqs")
    problems = []
    for queue, expected in ((target.name(WORKER), 0), (f"{target.name(WORKER)}-dead", refused)):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=COUNTS)["Attributes"]
        if (found := sum(map(int, counts.values()))) != expected:
            problems.append(f"{queue}: {found} messages, {expected} expected")
    return problems


def _print_results(night: Night, expected: Expectation) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("organization", "retention", "deleted", "kept", "result"):
        table.add_column(name, justify="left" if name in {"organization", "result"} else "right")
    by_size = sorted(expected.organizations, key=lambda each: each.gone + each.kept, reverse=True)
    shown = [each for place, each in enumerate(by_size) if place < LARGEST or each.refused]
    for each in shown:
        row = night.alerts[each.organization_id]
        deleted = f"{row.output['deleted']:,}" if row.status == "completed" else "-"
        said = row.status if row.error is None else f"{row.status}: {row.error['message']}"
        table.add_row(each.organization_id, f"{each.retention_days}", deleted, f"{each.kept:,}", said)
    CONSOLE.print(table)
    others = [each for each in by_size if each not in shown]
    _say(f"The other {len(others)}, deleted of all:")
    for line in _in_columns([_short(each, night) for each in others]):
        _say(f"  {line}")
    refused = sum(each.refused for each in expected.organizations)
    _say(f"[bold]alerts[/]  {night.alerts_deleted:,} deleted of {_alerts(expected):,}, {refused} organizations refused")
    _say(f"[bold]errors[/]  {night.errors_deleted:,} deleted of {expected.errors.gone + expected.errors.kept:,}")


def _short(each: OrganizationFate, night: Night) -> str:
    row = night.alerts[each.organization_id]
    deleted = row.output["deleted"] if row.status == "completed" else row.status
    return f"{each.organization_id} {deleted}/{each.gone + each.kept}"


def _in_columns(cells: list[str]) -> list[str]:
    width = max(map(len, cells), default=0) + 2
    columns = max(1, (CONSOLE.width - 2) // width)
    starts = range(0, len(cells), columns)
    return ["".join(cell.ljust(width) for cell in cells[start : start + columns]).rstrip() for start in starts]


def _alerts(expected: Expectation) -> int:
    return sum(each.gone + each.kept for each in expected.organizations)


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    _say(f"{what} in {time.monotonic() - began:.1f} s.")


def _say(line: str) -> None:
    CONSOLE.print(line, soft_wrap=True)
