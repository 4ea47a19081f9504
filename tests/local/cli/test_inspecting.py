from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from local.cli.inspecting import took
from shared.engine.identity import RunId
from shared.engine.row import Row
from tests.local.cli.conftest import Cli
from tests.local.cli.test_sending import RUN_KEYS

on_the_stack = [pytest.mark.stack, pytest.mark.xdist_group("stack")]
NEVER = "0b0e8a1c-93e5-5a1c-9d2f-0f5d1f0f4d11"


def greeted(live: Cli, name: str) -> dict[str, Any]:
    """Greet somebody and return the run."""
    sent = live.here("send", "demo/greeted", "--data", f'{{"name": "{name}"}}', "--wait", "--json").json
    run: dict[str, Any] = sent["runs"][0]
    return run


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({}, ""),
        ({"started_at": "2026-03-01T05:00:00.000Z"}, ""),
        ({"started_at": "2026-03-01T05:00:00.000Z", "ended_at": "2026-03-01T05:01:01.250Z"}, "61.2 s"),
    ],
)
def test_tells_how_long_a_run_took_once_it_has_ended(times: dict[str, Any], said: str) -> None:
    row = Row(RunId(NEVER), "f", "running", "1", "demo/greeted", "2026-03-01T05:00:00.000Z", **times)

    assert took(row) == said


class TestRuns:
    pytestmark = on_the_stack

    def test_lists_the_newest_first_with_the_keys_of_the_contract(self, live: Cli) -> None:
        older, newer = greeted(live, "older"), greeted(live, "newer")

        listed = live.here("runs", "--function", "demo-greet", "--limit", "2", "--json").json

        assert listed == [newer, older]
        assert {frozenset(run) for run in listed} == {frozenset(RUN_KEYS)}

    def test_knows_the_functions_of_the_stacks_own_template(self, live: Cli) -> None:
        greeted(live, "Ada")

        listed = live.here("runs", "--json", "--limit", "1000").json

        assert {run["function"] for run in listed} <= {"demo-greet", "demo-welcome"}
        assert "demo-greet" in {run["function"] for run in listed}

    def test_lists_only_those_of_a_status(self, live: Cli) -> None:
        greeted(live, "Ada")
        failed = greeted(live, "nobody")

        listed = live.here("runs", "--status", "failed", "--json").json

        assert listed[0] == failed
        assert {run["status"] for run in listed} == {"failed"}

    def test_answers_an_empty_list_where_there_is_nothing(self, live: Cli) -> None:
        assert live.here("runs", "--status", "cancelled", "--json").json == []

    def test_prints_each_on_a_line_where_nobody_asked_for_json(self, live: Cli) -> None:
        run = greeted(live, "nobody")

        columns, first, *_ = live.here("runs", "--function", "demo-greet").out.splitlines()

        assert columns.split() == ["run", "function", "status", "accepted", "took", "attempts", "result"]
        assert first.startswith(f"{run['run_id']}  demo-greet  failed ")
        assert first.endswith("1         NonRetryableError: there is nobody to greet")

    def test_names_the_functions_that_there_are(self, live: Cli) -> None:
        said = live.refusal("runs", "--function", "alerts-cleanup-resolved", "--data-dir", str(live.data_dir))

        assert said == ("no function 'alerts-cleanup-resolved': there are demo-greet, demo-welcome, platform-ledger")


class TestShow:
    pytestmark = on_the_stack

    def test_shows_a_run_with_its_event(self, live: Cli) -> None:
        run = greeted(live, "Zé")

        shown = live.here("show", run["run_id"], "--json").json

        assert set(shown) == RUN_KEYS | {"event", "steps"}
        assert {name: shown[name] for name in RUN_KEYS} == run
        assert shown["event"]["detail-type"] == "demo/greeted"
        assert shown["event"]["detail"] == {"data": {"name": "Zé"}, "metadata": {"id": run["event_id"]}}
        assert shown["steps"] == []

    def test_shows_a_workflows_steps_with_each_attempt(self, live: Cli) -> None:
        run_id = live.here("fire", "demo-welcome", "--at", "2026-02-01", "--wait", "--json").json["run_id"]

        shown = live.here("show", run_id, "--json").json
        as_text = live.here("show", run_id).out

        [step] = shown["steps"]
        assert set(step) == {"status", "state", "step", "input", "output", "attempts"}
        assert (step["state"], step["step"], step["status"]) == ("SayWelcome", "say_welcome", "completed")
        assert step["input"]["times"] == 2
        assert step["output"] == ["welcome", "welcome"]
        assert [set(attempt) for attempt in step["attempts"]] == [{"started_at", "ended_at", "error"}] * 2
        assert [attempt["error"] for attempt in step["attempts"]] == [
            {"type": "ConnectionError", "message": "nobody listens"},
            None,
        ]
        assert '    input     {"times": 2}\n' in as_text
        assert "ConnectionError: nobody listens\n    attempt 2 " in as_text
        assert '    output    ["welcome", "welcome"]\n' in as_text

    def test_shows_why_a_run_failed(self, live: Cli) -> None:
        run = greeted(live, "nobody")

        lines = live.here("show", run["run_id"]).out.splitlines()

        assert lines[0] == f"  demo-greet  {run['run_id']}  failed  NonRetryableError: there is nobody to greet"
        assert lines[1] == f"    event     demo/greeted  {run['event_id']}"
        assert lines[-1] == '    data      {"name": "nobody"}'

    def test_says_that_there_is_no_such_run(self, live: Cli) -> None:
        unknown = str(uuid4())

        assert live.refusal("show", unknown, "--data-dir", str(live.data_dir)) == f"no run {unknown}"
