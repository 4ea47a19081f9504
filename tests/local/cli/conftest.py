"""The command line in this process, and a small stack of its own kind in another."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.cli.app import main

ROOT = Path(__file__).parents[3]
START_LIMIT_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code in {0, 1}, self
        return json.loads(self.out)


@dataclass(frozen=True)
class Cli:
    """Run commands as the installed script does, in this process."""

    capsys: pytest.CaptureFixture[str]
    data_dir: Path

    def __call__(self, *arguments: str) -> Answer:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        printed = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Answer(ended.value.code, printed.out, printed.err)

    def here(self, *arguments: str) -> Answer:
        """Run a command on this test's data directory."""
        return self(*arguments, "--data-dir", str(self.data_dir))

    def refusal(self, *arguments: str) -> str:
        """Run a command that must fail with one line; return what it says."""
        answer = self(*arguments)
        assert (answer.code, answer.out, answer.err.count("\n")) == (1, "", 1), answer
        assert answer.err.startswith("nightshift: ")
        return answer.err.removeprefix("nightshift: ").rstrip()


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    """The command line; no stack runs on its data directory."""
    return Cli(capsys, tmp_path / "state")


@pytest.fixture(scope="session")
def stack_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a running stack of `greeting/template.yaml`."""
    home = tmp_path_factory.mktemp("greeting")
    code = home / "code"
    shutil.copytree(Path(__file__).parent / "greeting", code)
    for package in ("shared", "functions"):
        (code / package).symlink_to(ROOT / package)
    data_dir, log = home / "state", home / "stack.log"
    options = ["--port", "0", "--data-dir", str(data_dir), "--template", str(code / "template.yaml")]
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "local.cli", "dev", *options, "--time-scale", "0.02"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            cwd=ROOT,
        )
    try:
        give_up = time.monotonic() + START_LIMIT_SECONDS
        while "is ready" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            threading.Event().wait(0.05)
        yield data_dir
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def live(capsys: pytest.CaptureFixture[str], stack_dir: Path) -> Cli:
    """The command line; `here` talks to the running stack."""
    return Cli(capsys, stack_dir)
