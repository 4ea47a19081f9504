"""The main job: a night's cleanups on the real template, from two schedules to the last row."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.night import WORKER, Night, add_expired, alerts_of, fire

if TYPE_CHECKING:
    from local.postgres import Postgres
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

ORGANIZATIONS = 12


@pytest.fixture(scope="module")
def night(cleanups: RunningStack, database: Postgres) -> Night:
    """A night that was run once for all tests of this module; none of them changes its rows."""
    fired = fire(cleanups, database.url, organizations=ORGANIZATIONS, rows=3_000)
    fired.alerts_runs()
    fired.errors_run()
    return fired


def test_all_that_is_past_its_retention_is_gone_and_all_else_is_there(night: Night) -> None:
    prepared = night.stack.ended(night.prepare)
    runs = night.alerts_runs()
    errors = night.errors_run()

    assert night.problems() == []
    assert (prepared["status"], prepared["output"]) == ("completed", {"sent": ORGANIZATIONS})
    reported = {name: run["output"]["deleted"] for name, run in runs.items() if run["status"] == "completed"}
    assert reported == {each.organization_id: each.gone for each in night.expected.organizations if not each.refused}
    assert (errors["status"], errors["output"]) == ("completed", {"deleted": night.expected.errors.gone})


def test_bad_retentions_are_refused_with_a_reason_and_the_others_go_on(night: Night) -> None:
    runs = night.alerts_runs()
    refused = {each.organization_id for each in night.expected.organizations if each.refused}

    put_aside = Counter(letter["RunId"] for letter in night.stack.take_dead_letters(WORKER))

    assert Counter(run["status"] for run in runs.values()) == {"completed": ORGANIZATIONS - 2, "failed": 2}
    assert {name for name, run in runs.items() if run["status"] == "failed"} == refused
    for name in refused:
        assert runs[name]["error"]["type"] == "InvalidMessageError"
        assert "retention_days" in runs[name]["error"]["message"]
        assert runs[name]["attempts"] == 1
        assert put_aside[runs[name]["run_id"]] == 1
    assert not put_aside.keys() & {run["run_id"] for run in runs.values() if run["status"] == "completed"}


def test_a_redelivered_page_runs_nothing_twice(night: Night) -> None:
    before = night.alerts_runs()
    page = [night.stack.ask("show", run["run_id"])["event"] for run in before.values()]

    night.stack.deliver(WORKER, [json.dumps(event) for event in page])
    night.stack.drained(WORKER)

    assert night.alerts_runs() == before
    assert night.problems() == []


def test_a_time_that_ran_already_is_the_next_generation_and_deletes_nothing_more(night: Night) -> None:
    again = night.stack.ask("fire", "alerts-prepare-cleanup", "--at", night.at, "--wait")
    said = night.stack.nightshift("fire", "errors-prepare-cleanup", "--at", night.at)
    runs = night.alerts_runs(generation="-1")
    errors = night.errors_run(generation="-1")

    assert again["run_id"] == f"{night.prepare}-1"
    assert [run["generation"] for run in again["runs"]] == [1]
    assert "that time ran already, so this is generation 1" in said.out
    assert {run["output"]["deleted"] for run in runs.values() if run["status"] == "completed"} == {0}
    assert Counter(run["status"] for run in runs.values()) == {"completed": ORGANIZATIONS - 2, "failed": 2}
    assert errors["output"] == {"deleted": 0}
    assert night.problems() == []


def test_an_event_from_the_bus_cleans_up_as_the_fan_out_does(cleanups: RunningStack, database: Postgres) -> None:
    add_expired(database.url, "by-bus", 30)

    data = json.dumps({"organization_id": "by-bus", "retention_days": 30})
    [run] = cleanups.ask("send", "alerts/cleanup.resolved.alerts", "--data", data, "--wait")["runs"]

    assert (run["function"], run["status"], run["output"]) == (WORKER, "completed", {"deleted": 30})
    assert alerts_of(database.url, "by-bus") == 0
