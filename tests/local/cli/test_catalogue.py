from __future__ import annotations

from shared.events.catalogue import CATALOGUE
from tests.local.cli.conftest import Cli


def test_lists_every_function_with_what_wakes_it(cli: Cli) -> None:
    listed = cli("functions", "--json").json

    assert [each["id"] for each in listed] == sorted(each["id"] for each in listed)
    assert {frozenset(each) for each in listed} == {frozenset({"id", "kind", "events", "schedule"})}
    by_id = {each["id"]: each for each in listed}
    assert by_id["alerts-cleanup-resolved"] == {
        "id": "alerts-cleanup-resolved",
        "kind": "task",
        "events": ["alerts/cleanup.resolved.alerts"],
        "schedule": None,
    }
    assert by_id["alerts-prepare-cleanup"]["schedule"] == {
        "name": "alerts-prepare-cleanup",
        "expression": "cron(0 5 * * ? *)",
        "time_zone": "Europe/Lisbon",
    }


def test_lists_every_event_with_its_schema_and_its_functions(cli: Cli) -> None:
    listed = cli("events", "--json").json

    assert [each["name"] for each in listed] == sorted(CATALOGUE)
    assert {frozenset(each) for each in listed} == {frozenset({"name", "description", "schema", "functions"})}
    old_errors = next(each for each in listed if each["name"] == "errors/cleanup.old.errors")
    assert old_errors["functions"] == ["errors-cleanup-old"]
    assert old_errors["schema"]["required"] == ["retention_days"]
    assert (old_errors["schema"]["properties"]["retention_days"]["maximum"]) == 365
    assert all(each["description"] for each in listed)


def test_prints_a_line_for_each_where_nobody_asked_for_json(cli: Cli) -> None:
    functions = cli("functions").out.splitlines()
    events = cli("events").out.splitlines()

    assert functions[0].split() == ["function", "kind", "woken", "by"]
    assert "errors-prepare-cleanup   task      cron(0 4 * * ? *) Europe/Lisbon" in functions
    assert len(events) == 1 + len(CATALOGUE)
