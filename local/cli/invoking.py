"""`nightshift invoke`: call one function once, as `sam local invoke` does, without Docker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

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
)


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
    target = find_target(data_dir, stack, profile, region)
    answer = target.client("lambda").invoke(FunctionName=target.name(known(function)), Payload=payload)
    print(answer["Payload"].read().decode())
    if answer.get("FunctionError"):
        raise typer.Exit(1)
