"""A worker's process dies before or after each of its writes, and another attempt comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest

from local.aws.access.credentials import ADMINISTRATOR
from local.aws.bus import REGION
from local.aws.server import AwsServer
from shared import aws, clock
from shared.clock import StoppedClock
from shared.engine.effects import EffectInProgressError, EffectUnknownError, OncePolicy, once
from shared.settings import forget_environment
from tests.conventions.house import ROOT
from tests.effect_process import DEATH
from tests.effects import LIMIT, run_of, status_of
from tests.stack import START, make_idempotency_table

PATIENCE = 60  # seconds; a process starts in one, on a busy machine in more
BEGUN = START + timedelta(seconds=1)
OVER = START + LIMIT + timedelta(seconds=1)
LONG_OVER = OVER + LIMIT + timedelta(seconds=1)

IN_PROGRESS, UNKNOWN, DIED = "EffectInProgressError", "EffectUnknownError", "died"


class Outside:
    """The world outside, which the effect writes to, and the processes that do it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._log = folder / "log"
        self._environment = environment
        self.release = folder / "release"

    @property
    def done(self) -> int:
        """How often the effect was done, by whomever."""
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0

    def start(self, policy: OncePolicy, **what: Any) -> subprocess.Popen[str]:
        attempt = {"policy": policy, "item": "ada", "now": START.isoformat(), "log": str(self._log)} | what
        command = [sys.executable, "-m", "tests.effect_process", json.dumps(attempt)]
        environment = os.environ | self._environment | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, env=environment, cwd=ROOT, text=True, stdout=subprocess.PIPE)

    def attempt(self, policy: OncePolicy, **what: Any) -> str:
        """Return what one attempt in a process of its own came to."""
        return outcome_of(self.start(policy, **what))

    def attempt_here(self, policy: OncePolicy, now: Any) -> str:
        """Return what an attempt at `now` in this process came to."""
        with clock.using(StoppedClock(now)):
            try:
                return str(once(run_of(), "ada", self._do, policy=policy, limit=LIMIT))
            except (EffectInProgressError, EffectUnknownError) as error:
                return type(error).__name__

    def _do(self) -> str:
        with self._log.open("a") as log:
            log.write("here\n")
        return "here"


def outcome_of(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE)
    if process.returncode == DEATH:
        return DIED
    assert process.returncode == 0, output
    answer = json.loads(output.splitlines()[-1])
    return str(answer.get("result") or answer["error"])


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    server = AwsServer.start()
    yield server
    server.stop()


@pytest.fixture
def outside(server: AwsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    environment = {
        "AWS_ACCESS_KEY_ID": ADMINISTRATOR.access_key_id,
        "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "STACK_NAME": "test",
        "EVENT_BUS_NAME": "test",
        "LEDGER_TABLE": "test_ledger",
        "IDEMPOTENCY_TABLE": "test_idempotency",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    aws.forget_clients()
    forget_environment()
    dynamodb = aws.client("dynamodb")
    make_idempotency_table(dynamodb)
    yield Outside(tmp_path, environment)
    dynamodb.delete_table(TableName="test_idempotency")
    dynamodb.close()
    aws.forget_clients()
    forget_environment()


@pytest.mark.parametrize(
    ("policy", "die", "meanwhile", "afterwards", "done"),
    [
        ("repeat", "before PutItem", "here", "here", 1),
        ("repeat", "after PutItem", IN_PROGRESS, "here", 1),
        ("repeat", "before effect", IN_PROGRESS, "here", 1),
        ("repeat", "after effect", IN_PROGRESS, "here", 2),
        ("repeat", "before UpdateItem", IN_PROGRESS, "here", 2),
        ("repeat", "after UpdateItem", "sent by repeat", "sent by repeat", 1),
        ("stop", "before PutItem", "here", "here", 1),
        ("stop", "after PutItem", IN_PROGRESS, UNKNOWN, 0),
        ("stop", "before effect", IN_PROGRESS, UNKNOWN, 0),
        ("stop", "after effect", IN_PROGRESS, UNKNOWN, 1),
        ("stop", "before UpdateItem", IN_PROGRESS, UNKNOWN, 1),
        ("stop", "after UpdateItem", "sent by stop", "sent by stop", 1),
    ],
)
def test_a_worker_that_dies(
    outside: Outside, policy: OncePolicy, die: str, meanwhile: str, afterwards: str, done: int
) -> None:
    assert outside.attempt(policy, die=die) == DIED

    assert outside.attempt_here(policy, BEGUN) == meanwhile
    assert outside.attempt_here(policy, OVER) == afterwards
    assert outside.attempt_here(policy, LONG_OVER) == afterwards
    assert outside.done == done


@pytest.mark.parametrize(
    ("policy", "die", "meanwhile", "afterwards", "done"),
    [
        ("repeat", "before DeleteItem", IN_PROGRESS, "here", 1),
        ("repeat", "after DeleteItem", "here", "here", 1),
        ("stop", "before DeleteItem", IN_PROGRESS, UNKNOWN, 0),  # it was not done, but nobody is left who knows
        ("stop", "after DeleteItem", "here", "here", 1),
    ],
)
def test_a_worker_that_dies_after_its_effect_failed(
    outside: Outside, policy: OncePolicy, die: str, meanwhile: str, afterwards: str, done: int
) -> None:
    assert outside.attempt(policy, die=die, outcome="fails") == DIED

    assert outside.attempt_here(policy, BEGUN) == meanwhile
    assert outside.attempt_here(policy, OVER) == afterwards
    assert outside.done == done


@pytest.mark.parametrize(("die", "status"), [("before UpdateItem", "INPROGRESS"), ("after UpdateItem", "UNKNOWN")])
def test_a_worker_that_dies_while_it_records_that_nobody_knows(outside: Outside, die: str, status: str) -> None:
    outside.attempt("stop", die="after effect")

    assert outside.attempt("stop", die=die, now=OVER.isoformat()) == DIED
    assert status_of() == status
    assert outside.attempt_here("stop", OVER) == UNKNOWN
    assert outside.done == 1


@pytest.mark.parametrize(
    ("die", "meanwhile", "done"),
    [
        ("before PutItem", "here", 2),
        ("after PutItem", IN_PROGRESS, 2),
        ("after effect", IN_PROGRESS, 3),
        ("after UpdateItem", "sent by repeat", 2),
    ],
)
def test_a_worker_that_dies_doing_it_again(outside: Outside, die: str, meanwhile: str, done: int) -> None:
    outside.attempt("repeat", die="after effect")

    assert outside.attempt("repeat", die=die, now=OVER.isoformat()) == DIED
    assert outside.attempt_here("repeat", OVER) == meanwhile
    assert outside.attempt_here("repeat", LONG_OVER) in {"here", "sent by repeat"}
    assert outside.done == done


@pytest.mark.parametrize("policy", ["repeat", "stop"])
def test_of_several_processes_at_once_one_does_it(outside: Outside, policy: OncePolicy) -> None:
    processes = [outside.start(policy, wait_for=str(outside.release)) for _ in range(3)]
    ended: list[str] = []
    threads = [Thread(target=lambda each=each: ended.append(outcome_of(each)), daemon=True) for each in processes]
    for thread in threads:
        thread.start()

    wait_until(lambda: len(ended) == 2)  # the third is in the middle of it
    outside.release.touch()
    for thread in threads:
        thread.join(PATIENCE)

    assert ended == [IN_PROGRESS, IN_PROGRESS, f"sent by {policy}"]
    assert outside.done == 1


@pytest.mark.parametrize("policy", ["repeat", "stop"])
def test_of_many_threads_at_once_one_does_it(outside: Outside, policy: OncePolicy) -> None:
    together = Barrier(8)
    ended: list[str] = []

    def attempt() -> None:
        together.wait(PATIENCE)
        try:
            ended.append(once(run_of(), "ada", outside._do, policy=policy, limit=LIMIT))
        except EffectInProgressError:
            ended.append(IN_PROGRESS)

    threads = [Thread(target=attempt, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert (len(ended), set(ended) - {IN_PROGRESS}, outside.done) == (8, {"here"}, 1)


def wait_until(condition: Callable[[], bool]) -> None:
    """Return when `condition` holds; fail after a minute."""
    pause = Event()
    for _ in range(PATIENCE * 100):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("waited in vain")
