"""`nightshift demo`: a domain's story on sample data, through the whole local stack."""

from __future__ import annotations

from typing import Annotated

import typer

from local.cli.errors import CommandError

DEMONSTRATIONS = ("cleanups",)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("demo")(demo)


def demo(name: Annotated[str, typer.Argument(help=f"One of: {', '.join(DEMONSTRATIONS)}.")] = "cleanups") -> None:
    """Run a domain's jobs on sample data and check what they did.

    Example: nightshift demo cleanups
    """
    if name not in DEMONSTRATIONS:
        raise CommandError(f"no demonstration {name!r}: there are {', '.join(DEMONSTRATIONS)}")
    from local.demonstrations import cleanups  # noqa: PLC0415 (a second of imports)

    if not cleanups.run():
        raise typer.Exit(1)
