"""What holds for every verb."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from local.cli.app import app
from tests.local.cli.conftest import Cli

ROOT = Path(__file__).parents[3]
VERBS = ("dev", "stop", "send", "fire", "runs", "show", "functions", "events", "invoke", "demo")
UUID = "0b0e8a1c-93e5-5a1c-9d2f-0f5d1f0f4d11"


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


def test_has_the_verbs_that_scripts_rely_on() -> None:
    assert set(commands()) >= set(VERBS)


@pytest.mark.parametrize("verb", sorted(commands()))
def test_help_shows_an_example_of_the_verb(cli: Cli, verb: str) -> None:
    answer = cli(verb, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"Usage: nightshift {verb} ")
    assert f"Example: nightshift {verb}" in answer.out


@pytest.mark.parametrize("verb", sorted(commands()))
def test_the_example_in_the_help_names_only_options_that_there_are(verb: str) -> None:
    example = commands()[verb].help.partition("Example: ")[2]
    known = {option for parameter in commands()[verb].params for option in parameter.opts}

    assert {word for word in example.split() if word.startswith("-")} <= known


def test_shows_what_there_is_when_it_is_asked_for_nothing(cli: Cli) -> None:
    answer = cli()

    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("Usage: nightshift ")
    assert all(verb in answer.out for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nope"], "No such command 'nope'"),
        (["runs", "--nope"], "No such option: --nope"),
        (["runs", "--limit", "0"], "Invalid value for '--limit'"),
        (["runs", "--limit", "many"], "Invalid value for '--limit'"),
        (["runs", "--days", "101"], "Invalid value for '--days'"),
        (["runs", "--status", "lost"], "no status 'lost': there are accepted, waiting, running"),
        (["dev", "--port", "http"], "Invalid value for '--port'"),
        (["dev", "--workers", "0"], "Invalid value for '--workers'"),
        (["dev", "--time-scale", "0"], "Invalid value for '--time-scale'"),
        (["send"], "Missing argument"),
        (["fire"], "Missing argument"),
        (["show"], "Missing argument"),
        (["invoke", "demo-greet"], "Missing option"),
        (["send", "demo/greeted", "extra"], "unexpected extra argument"),
        (["send", "demo/greeted", "--data"], "'--data' requires an argument"),
        (["send", "demo/greeted", "--data", "{name: Ada}"], "--data is not JSON: "),
        (["send", "demo/greeted", "--data", "[1]"], "--data is a JSON object, not list"),
        (["send", "demo/greeted", "--data", "@/no/such.json"], "--data: [Errno 2] No such file or directory"),
        (["fire", "demo-welcome", "--at", "tomorrow"], "--at is not a time such as 2026-03-29T04:00:00Z: 'tomorrow'"),
        (["show", "the-last-one"], "not a run id: 'the-last-one'"),
        (["invoke", "demo-greet", "-e", "/no/such.json"], "/no/such.json: [Errno 2] No such file or directory"),
        (["demo", "nope"], "no demonstration 'nope': there are cleanups"),
    ],
)
def test_says_what_is_wrong_with_a_command_in_one_line(cli: Cli, arguments: list[str], reason: str) -> None:
    assert reason in cli.refusal(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [["stop"], ["runs"], ["show", UUID], ["send", "demo/greeted"], ["fire", "demo-welcome"], ["runs", "--json"]],
)
def test_says_in_one_line_that_no_stack_runs(cli: Cli, arguments: list[str]) -> None:
    said = cli.refusal(*arguments, "--data-dir", str(cli.data_dir))

    assert said.startswith(f"no local stack runs on {cli.data_dir}")


def test_says_in_one_line_that_a_file_holds_no_json(cli: Cli, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text("Records: []")

    assert cli.refusal("invoke", "demo-greet", "-e", str(event)).startswith(f"{event}: Expecting value")


def test_says_in_one_line_what_boto3_refuses(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    said = cli.refusal("runs", "--stack", "prod", "--profile", "no-such-profile")

    assert said == "ProfileNotFound: The config profile (no-such-profile) could not be found"


def test_a_stack_that_is_not_ready_yet_is_told_from_one_that_does_not_run(cli: Cli) -> None:
    from local.data_dir import lock

    cli.data_dir.mkdir()

    with lock(cli.data_dir):
        said = cli.refusal("runs", "--data-dir", str(cli.data_dir))

    assert said == f"the local stack on {cli.data_dir} is not ready yet"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_keeps_quiet_when_its_reader_goes_away(unbuffered: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        [sys.executable, "-m", "local.cli", "events", "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        check=False,
    )
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_ends_with_one_line_as_a_process_of_its_own() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "local.cli", "show", "x"], capture_output=True, text=True, cwd=ROOT, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "nightshift: not a run id: 'x'\n")
