from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pytest

from local.cli.errors import CommandError
from local.cli.sending import follow
from local.cli.target import find_target
from shared.engine.identity import RunId
from tests.local.cli.conftest import Cli

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

RUN_KEYS = {
    "run_id", "generation", "function", "status", "event_id", "event_name", "accepted_at", "started_at", "ended_at",
    "attempts", "output", "error",
}  # fmt: skip


def test_send_follows_the_runs_of_an_event_to_their_end(live: Cli) -> None:
    event_id = str(uuid4())

    sent = live.here("send", "demo/greeted", "--data", '{"name": "Ada"}', "--id", event_id, "--wait", "--json").json

    assert sent["event_id"] == event_id
    [run] = sent["runs"]
    assert set(run) == RUN_KEYS
    assert run["run_id"] == str(RunId.of("demo-greet", event_id))
    assert (run["function"], run["status"], run["output"]) == ("demo-greet", "completed", {"greeting": "Olá Ada"})


def test_send_says_which_runs_it_asked_for_where_it_does_not_wait(live: Cli) -> None:
    event_id = str(uuid4())
    run_id = str(RunId.of("demo-greet", event_id))

    as_text = live.here("send", "demo/greeted", "--data", '{"name": "Ada"}', "--id", event_id)
    as_json = live.here("send", "demo/greeted", "--data", '{"name": "Ada"}', "--id", event_id, "--json")

    assert as_text.out == f"sent {event_id}\n  demo-greet  {run_id}\n"
    assert as_json.json == {"event_id": event_id, "runs": [{"function": "demo-greet", "run_id": run_id}]}


def test_send_takes_its_data_from_a_file(live: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data.json"
    data.write_text(json.dumps({"name": "Grace"}))

    sent = live.here("send", "demo/greeted", "--data", f"@{data}", "--wait", "--json").json

    assert sent["runs"][0]["output"] == {"greeting": "Olá Grace"}


def test_send_exits_with_1_when_a_run_fails(live: Cli) -> None:
    answer = live.here("send", "demo/greeted", "--data", '{"name": "nobody"}', "--wait")

    assert (answer.code, answer.err) == (1, "")
    assert "failed" in answer.out
    assert "NonRetryableError: there is nobody to greet" in answer.out


def test_send_says_that_no_function_reacts(live: Cli) -> None:
    answer = live.here("send", "demo/unheard", "--wait")

    assert (answer.code, answer.err) == (0, "")
    assert "no function reacts to it" in answer.out


def test_send_to_a_bus_that_is_not_there_is_one_line(
    live: Cli, stack_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = dict(line.split("=", 1) for line in (stack_dir / "env").read_text().splitlines())
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, env[name])

    said = live.refusal("send", "demo/greeted", "--stack", "elsewhere", "--region", env["AWS_REGION"])

    assert "elsewhere" in said


def test_gives_up_following_a_run_that_does_not_end(stack_dir: Path) -> None:
    never = RunId.of("demo-greet", str(uuid4()))

    with pytest.raises(CommandError, match=r"^1 of 1 runs had not ended after 0 s$"):
        follow(find_target(stack_dir), [("demo-greet", never)], limit=0)


def test_fire_runs_a_schedule_as_of_a_time_and_starts_the_next_generation_when_that_time_ran(live: Cli) -> None:
    fire = ("fire", "demo-welcome", "--at", "2026-03-29T05:00:00+01:00", "--wait")

    first = live.here(*fire, "--json").json
    second = live.here(*fire)
    third = live.here(*fire, "--json").json

    run_id = str(RunId.of("demo-welcome", "demo-welcome/2026-03-29T04:00:00Z"))
    assert (first["schedule"], first["scheduled_at"]) == ("demo-welcome", "2026-03-29T04:00:00.000Z")
    assert first["run_id"] == run_id
    assert [run["output"] for run in first["runs"]] == [{"said": ["welcome", "welcome"]}]
    assert second.out.startswith(
        "fired demo-welcome as of 2026-03-29T04:00:00Z: that time ran already, so this is generation 1\n"
    )
    assert (third["run_id"], third["runs"][0]["generation"]) == (f"{run_id}-2", 2)


def test_fire_reads_a_time_without_an_offset_as_utc(live: Cli) -> None:
    fired = live.here("fire", "demo-welcome", "--at", "2026-01-02T03:04:05.678", "--json").json

    assert fired["scheduled_at"] == "2026-01-02T03:04:05.000Z"
    assert fired["runs"] == [{"function": "demo-welcome", "run_id": fired["run_id"]}]


def test_fire_names_the_schedules_that_there_are(live: Cli) -> None:
    said = live.refusal("fire", "demo-greet", "--data-dir", str(live.data_dir))

    assert said == "no schedule 'demo-greet': there are demo-welcome"
