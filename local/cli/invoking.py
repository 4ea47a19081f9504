"""`nightshift invoke`: call one function once, as `sam local invoke` does, without Docker."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from local.cli.errors import CommandError
from local.cli.target import (
    DATA_DIR,
    DataDirOption,
    ProfileOption,
    RegionOption,
    StackOption,
    find_target,
    known,
    registry,
)
from local.data_dir import running_pid

if TYPE_CHECKING:
    from collections.abc import Iterator


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("invoke")(invoke)


def invoke(
    function: Annotated[str, typer.Argument(help="The function's id.")],
    event: Annotated[
        Path, typer.Option("-e", "--event", help="A file with what the Lambda receives: an SQS batch or a step call.")
    ],
    data_dir: DataDirOption = DATA_DIR,
    stack: StackOption = "",
    profile: ProfileOption = "",
    region: RegionOption = "",
) -> None:
    """Call one function once with what a file holds and print what it answers.

    Example: nightshift invoke errors-cleanup-old -e events/errors-cleanup-old.json
    """
    try:
        payload = json.dumps(json.loads(event.read_text())).encode()
    except (OSError, ValueError) as error:
        raise CommandError(f"{event}: {error}") from None
    with nullcontext() if stack else _some_stack(data_dir, function):
        target = find_target(data_dir, stack, profile, region)
        answer = target.client("lambda").invoke(FunctionName=target.name(target.known(function)), Payload=payload)
        print(answer["Payload"].read().decode())
    if answer.get("FunctionError"):
        raise typer.Exit(1)


@contextmanager
def _some_stack(data_dir: Path, function: str) -> Iterator[None]:
    """Have a local stack for the block: the one that runs, else one of our own, as `sam local invoke` needs none."""
    from local.stack import LocalStack, Options  # noqa: PLC0415 (a second of imports)

    if running_pid(data_dir) is not None:
        yield
        return
    known(function, registry())  # before seconds are spent on a stack
    options = Options(data_dir=data_dir, port=0, database_url=os.environ.get("DATABASE_URL"))
    with LocalStack.start(options):
        print(f"no stack runs on {data_dir}: this call has one of its own", file=sys.stderr)
        yield
