"""`nightshift send` and `nightshift fire`: put an event on the bus, or a schedule's event into its inbox."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import typer

from local.cli.errors import CommandError
from local.cli.printing import print_json, print_run
from local.cli.target import (
    DATA_DIR,
    DataDirOption,
    JsonOption,
    ProfileOption,
    RegionOption,
    StackOption,
    Target,
    find_target,
)
from shared import clock
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.engine.ledger import Ledger
from shared.engine.row import Row

WaitOption = Annotated[bool, typer.Option("--wait", help="Follow the runs to their end; exit 1 if one fails.")]
LimitOption = Annotated[float, typer.Option("--limit", help="Seconds to wait at most.")]
POLL_SECONDS: Final = 0.2


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("send")(send)
    app.command("fire")(fire)


def send(
    name: Annotated[str, typer.Argument(help="The event's name.")],
    data: Annotated[str, typer.Option(help="The event's data as JSON, or @FILE.")] = "{}",
    id_: Annotated[str, typer.Option("--id", help="The event's id; the same id does nothing twice.")] = "",
    wait: WaitOption = False,
    limit: LimitOption = 300,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DATA_DIR,
    stack: StackOption = "",
    profile: ProfileOption = "",
    region: RegionOption = "",
) -> None:
    """Put an event on the bus.

    Example: nightshift send errors/cleanup.old.errors --data '{"retention_days": 30}' --wait
    """
    payload = _data(data)
    target = find_target(data_dir, stack, profile, region)
    event_id = id_ or str(uuid4())
    answer = target.client("events").put_events(
        Entries=[
            {
                "EventBusName": target.bus,
                "Source": "nightshift.cli",
                "DetailType": name,
                "Time": clock.now(),
                "Detail": json.dumps({"data": payload, "metadata": {"id": event_id}}),
            }
        ]
    )
    [entry] = answer["Entries"]
    if "ErrorCode" in entry:
        raise CommandError(f"the bus refused the event: {entry['ErrorCode']}: {entry.get('ErrorMessage', '')}")
    runs = [
        (function, RunId.of(function, event_id))
        for function, woken in target.functions.items()
        if name in woken["events"]
    ]
    _report({"event_id": event_id}, f"sent {event_id}", target, runs, wait=wait, limit=limit, as_json=as_json)


def fire(
    schedule: Annotated[str, typer.Argument(help="The schedule's name, which is its function's id.")],
    at: Annotated[str, typer.Option(help="As if it were due at this time (ISO 8601; UTC without an offset).")] = "",
    wait: WaitOption = False,
    limit: LimitOption = 300,
    as_json: JsonOption = False,
    data_dir: DataDirOption = DATA_DIR,
    stack: StackOption = "",
    profile: ProfileOption = "",
    region: RegionOption = "",
) -> None:
    """Run a schedule now, as if it were due at a time; a time that already ran starts the next generation.

    Example: nightshift fire alerts-prepare-cleanup --at 2026-03-29T04:00:00Z
    """
    moment = _moment(at)
    target = find_target(data_dir, stack, profile, region)
    run, envelope = fire_schedule(target, schedule, moment)
    said = f"fired {schedule} as of {envelope.time:%Y-%m-%dT%H:%M:%SZ}"
    if run.generation:
        said += f": that time ran already, so this is generation {run.generation}"
    facts = {"schedule": schedule, "scheduled_at": clock.isoformat(envelope.time), "run_id": str(run)}
    _report(facts, said, target, [(schedule, run)], wait=wait, limit=limit, as_json=as_json)


def fire_schedule(target: Target, schedule: str, at: datetime) -> tuple[RunId, Envelope]:
    """Send what the schedule would send at `at` and return the run that it asks for, with the event."""
    from shared.schedules import input_at  # noqa: PLC0415 (the cron library's import)

    scheduler = target.client("scheduler")
    try:
        wanted = scheduler.get_schedule(GroupName=target.stack, Name=schedule)["Target"]
    except scheduler.exceptions.ResourceNotFoundException:
        names = sorted(function for function, woken in target.functions.items() if woken["schedule"])
        raise CommandError(f"no schedule {schedule!r}: there are {', '.join(names)}") from None
    envelope = Envelope.parse(input_at(wanted["Input"], at))
    run = RunId.of(schedule, envelope.event_id)
    before = Ledger(target.client("dynamodb"), target.ledger_table).newest(run)
    if before is not None:
        run = RunId(run.uuid, before.id.generation + 1)
        envelope = envelope.of_generation(run.generation)
    sqs = target.client("sqs")
    queue = sqs.get_queue_url(QueueName=wanted["Arn"].rpartition(":")[2])["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=envelope.as_json())
    return run, envelope


def follow(target: Target, runs: list[tuple[str, RunId]], limit: float) -> list[Row]:
    """Return the rows of `runs` once all have ended; raise CommandError when that takes longer than `limit` s."""
    ledger = Ledger(target.client("dynamodb"), target.ledger_table)
    end = time.monotonic() + limit
    while True:
        rows = [ledger.get(run) for _, run in runs]
        ended = [row for row in rows if row is not None and not row.is_open]
        if len(ended) == len(runs):
            return ended
        if time.monotonic() > end:
            raise CommandError(f"{len(runs) - len(ended)} of {len(runs)} runs had not ended after {limit:g} s")
        time.sleep(POLL_SECONDS)


def _report(
    facts: dict[str, Any],
    said: str,
    target: Target,
    runs: list[tuple[str, RunId]],
    *,
    wait: bool,
    limit: float,
    as_json: bool,
) -> None:
    rows = follow(target, runs, limit) if wait else []
    if as_json:
        asked = [{"function": function, "run_id": str(run)} for function, run in runs]
        print_json(facts | {"runs": [row.as_dict() for row in rows] if wait else asked})
    else:
        print(said)
        for function, run in runs if not wait else []:
            print(f"  {function}  {run}")
        for row in rows:
            print_run(row)
        if not runs:
            print("  no function reacts to it")
    if any(row.status != "completed" for row in rows):
        raise typer.Exit(1)


def _data(text: str) -> dict[str, Any]:
    """Return the JSON object of `--data`."""
    try:
        if text.startswith("@"):
            text = Path(text[1:]).read_text()
        value = json.loads(text)
    except OSError as error:
        raise CommandError(f"--data: {error}") from None
    except ValueError as error:
        raise CommandError(f"--data is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CommandError(f"--data is a JSON object, not {type(value).__name__}")
    return value


def _moment(text: str) -> datetime:
    """Return the time of `--at`, in UTC, to the second as a schedule's is."""
    try:
        moment = datetime.fromisoformat(text) if text else clock.now()
    except ValueError:
        raise CommandError(f"--at is not a time such as 2026-03-29T04:00:00Z: {text!r}") from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).replace(microsecond=0)
