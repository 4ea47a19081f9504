"""`nightshift runs` and `nightshift show`: the ledger, and one run with its steps."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from local.cli.errors import CommandError
from local.cli.printing import print_json, print_run, print_table, styled, summary
from local.cli.target import (
    DATA_DIR,
    DataDirOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    find_target,
)
from local.runs import list_runs
from local.steps import steps_of
from shared.engine.identity import RunId
from shared.engine.ledger import Ledger
from shared.engine.row import STATUSES, Row

if TYPE_CHECKING:
    from local.steps import StepRun


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("runs")(runs)
    app.command("show")(show)


def runs(
    function: Annotated[str, typer.Option(help="Only this function's.")] = "",
    status: Annotated[str, typer.Option(help=f"Only with this status: {', '.join(STATUSES)}.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    days: Annotated[int, typer.Option(min=1, max=100, help="Accepted in the last so many days.")] = 2,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DATA_DIR,
    stack: StackOption = "",
    profile: ProfileOption = "",
    region: RegionOption = "",
) -> None:
    """List runs, newest first.

    Example: nightshift runs --function alerts-cleanup-resolved --status failed
    """
    if status and status not in STATUSES:
        raise CommandError(f"no status {status!r}: there are {', '.join(STATUSES)}")
    target = find_target(data_dir, stack, profile, region)
    functions = [target.known(function)] if function else sorted(target.functions)
    rows = list_runs(
        target.client("dynamodb"),
        target.ledger_table,
        functions,
        days=days,
        limit=limit,
        status=status or None,
    )
    if as_json:
        print_json([row.as_dict() for row in rows])
        return
    print_table(
        ["run", "function", "status", "accepted", "took", "attempts", "result"],
        [
            [str(row.id), row.function, styled(row.status), row.accepted_at, took(row), str(row.attempts), summary(row)]
            for row in rows
        ],
    )


def show(
    run: Annotated[str, typer.Argument(help="The run's id.")],
    as_json: JsonOption = False,
    data_dir: DataDirOption = DATA_DIR,
    stack: StackOption = "",
    profile: ProfileOption = "",
    region: RegionOption = "",
) -> None:
    """Show one run: its event, and for a workflow its steps with attempts, inputs, outputs and errors.

    Example: nightshift show 0b0e8a1c-93e5-5a1c-9d2f-0f5d1f0f4d11
    """
    try:
        run_id = RunId.parse(run)
    except ValueError as error:
        raise CommandError(str(error)) from None
    target = find_target(data_dir, stack, profile, region)
    row = Ledger(target.client("dynamodb"), target.ledger_table).get(run_id)
    if row is None:
        raise CommandError(f"no run {run}")
    steps: list[StepRun] = []
    if target.functions.get(row.function, {}).get("kind") == "workflow":
        steps = steps_of(target.client("stepfunctions"), target.execution_arn(row.function, str(run_id)))
    if as_json:
        event = json.loads(row.event) if row.event else None
        print_json(row.as_dict() | {"event": event, "steps": [step.as_dict() for step in steps]})
    else:
        _print(row, steps)


def took(row: Row) -> str:
    """Return how long a run took from its start, or nothing while it goes on."""
    if not (row.started_at and row.ended_at):
        return ""
    seconds = (datetime.fromisoformat(row.ended_at) - datetime.fromisoformat(row.started_at)).total_seconds()
    return f"{seconds:.1f} s"


def _print(row: Row, steps: list[StepRun]) -> None:
    print_run(row)
    facts: dict[str, Any] = {
        "event": f"{row.event_name}  {row.event_id}",
        "accepted": row.accepted_at,
        "started": row.started_at,
        "ended": f"{row.ended_at}  {took(row)}" if row.ended_at else None,
        "attempts": row.attempts,
        "data": json.dumps(json.loads(row.event)["detail"]["data"], ensure_ascii=False) if row.event else None,
    }
    for name, value in facts.items():
        if value is not None:
            print(f"    {name:<9} {value}")
    for step in steps:
        given = {name: value for name, value in (step.input or {}).items() if name != "event"}
        print(f"  step {step.step}  {step.status}")
        print(f"    input     {json.dumps(given, ensure_ascii=False)}")
        for number, attempt in enumerate(step.attempts, 1):
            why = f"  {attempt.error['type']}: {attempt.error['message']}" if attempt.error else ""
            print(f"    attempt {number} {attempt.started_at} to {attempt.ended_at or 'now'}{why}")
        if step.status == "completed":
            print(f"    output    {json.dumps(step.output, ensure_ascii=False)}")
