"""`nightshift functions` and `nightshift events`: the registry and the event catalogue."""

from __future__ import annotations

from typing import Any

import typer

from local.cli.printing import print_json, print_table
from local.cli.target import JsonOption, registry


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("functions")(functions)
    app.command("events")(events)


def functions(as_json: JsonOption = False) -> None:
    """List the functions and what wakes them.

    Example: nightshift functions --json
    """
    known = registry()
    if as_json:
        print_json([{"id": id_} | facts for id_, facts in sorted(known.items())])
        return
    rows = []
    for id_, facts in sorted(known.items()):
        due = facts["schedule"]
        triggers = [*facts["events"], *([f"{due['expression']} {due['time_zone']}"] if due else [])]
        rows.append([id_, facts["kind"], ", ".join(triggers)])
    print_table(["function", "kind", "woken by"], rows)


def events(as_json: JsonOption = False) -> None:
    """List the events, their fields, and the functions that react to them.

    Example: nightshift events
    """
    from shared.events.catalogue import CATALOGUE  # noqa: PLC0415 (pydantic builds every model)

    known = registry()
    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "description": (event.__doc__ or "").strip().splitlines()[0],
            "schema": event.model_json_schema(by_alias=True),
            "functions": sorted(id_ for id_, facts in known.items() if name in facts["events"]),
        }
        for name, event in sorted(CATALOGUE.items())
    ]
    if as_json:
        print_json(listed)
        return
    print_table(
        ["event", "data", "functions", "says"],
        [
            [
                each["name"],
                ", ".join(each["schema"].get("properties", {})),
                ", ".join(each["functions"]),
                each["description"],
            ]
            for each in listed
        ],
    )
