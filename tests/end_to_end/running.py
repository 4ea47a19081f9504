"""A stack that runs as a process of its own, as its user sees it: through the command line and plain boto3."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.request import urlopen

import boto3

from local.cli import main
from local.data_dir import running_pid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
TIME_SCALE: Final = "0.05"
LIMIT_SECONDS: Final = 60.0  # for anything that is waited for: far more than it takes
QUEUE_STATES: Final = ("", "NotVisible", "Delayed")


@dataclass(frozen=True)
class Said:
    """What one call of the command line said."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class RunningStack:
    """The stack on `data_dir`."""

    data_dir: Path

    def nightshift(self, verb: str, *arguments: str) -> Said:
        """Call the command line's own entry point, in this process: a process a call would take seconds."""
        return call(verb, *arguments, "--data-dir", str(self.data_dir))

    def ask(self, verb: str, *arguments: str) -> Any:
        """Return what a verb answers with `--json`."""
        said = self.nightshift(verb, *arguments, "--json")
        assert said.code == 0, said.err
        return json.loads(said.out)

    def send(self, name: str, data: Mapping[str, Any], *, event_id: str = "") -> str:
        """Put an event on the bus and return the id of the one run that it starts."""
        [run] = self.ask("send", name, "--data", json.dumps(data), "--id", event_id)["runs"]
        return str(run["run_id"])

    def runs(self, function: str) -> list[dict[str, Any]]:
        """Return all runs of a function, newest first."""
        runs: list[dict[str, Any]] = self.ask("runs", "--function", function, "--limit", "10000")
        return runs

    def ended(self, run: str) -> dict[str, Any]:
        """Wait for a run's end and return what `show` says of it."""

        def look() -> dict[str, Any] | None:
            said = self.nightshift("show", run, "--json")
            shown: dict[str, Any] = json.loads(said.out) if said.code == 0 else {}
            return shown if shown.get("ended_at") else None

        return until(look, f"the end of run {run}")

    def all_ended(self, function: str, event_ids: set[str]) -> dict[str, dict[str, Any]]:
        """Wait for the ends of a function's runs for these events and return them by event id."""

        def look() -> dict[str, dict[str, Any]] | None:
            ended = {run["event_id"]: run for run in self.runs(function) if run["ended_at"]}
            return {each: ended[each] for each in event_ids} if event_ids <= ended.keys() else None

        return until(look, f"the ends of {len(event_ids)} runs of {function}")

    @property
    def env(self) -> dict[str, str]:
        """What the stack tells applications."""
        lines = (self.data_dir / "env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @cached_property
    def _session(self) -> boto3.Session:
        env = self.env
        return boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])

    def client(self, service: str) -> Any:
        """Return a boto3 client for the stack's AWS."""
        return self._session.client(service, endpoint_url=self.env["AWS_ENDPOINT_URL"])  # type: ignore[call-overload] # any

    def queue_url(self, queue: str) -> str:
        """Return the URL of a queue by its name without the stack's."""
        return str(self.client("sqs").get_queue_url(QueueName=f"nightshift_{queue}")["QueueUrl"])

    def deliver(self, queue: str, bodies: list[str]) -> None:
        """Put messages straight into an inbox."""
        sqs, url = self.client("sqs"), self.queue_url(queue)
        for start in range(0, len(bodies), 10):
            batch = enumerate(bodies[start : start + 10])
            entries = [{"Id": str(number), "MessageBody": body} for number, body in batch]
            assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")

    def messages(self, queue: str) -> dict[str, int]:
        """Return how many messages a queue holds: waiting (""), in flight ("NotVisible"), "Delayed"."""
        names = {state: f"ApproximateNumberOfMessages{state}" for state in QUEUE_STATES}
        answer = self.client("sqs").get_queue_attributes(
            QueueUrl=self.queue_url(queue), AttributeNames=list(names.values())
        )
        return {state: int(answer["Attributes"][name]) for state, name in names.items()}

    def drained(self, queue: str) -> None:
        """Wait until a queue is empty. Twice in a row: a message may change its state between two of the counts."""
        until(
            lambda: not any(self.messages(queue).values()) and not any(self.messages(queue).values()),
            f"{queue} to be empty",
        )

    def take_dead_letters(self, function: str) -> list[dict[str, str]]:
        """Take everything out of a function's dead-letter queue and return the messages' attributes."""
        sqs, url = self.client("sqs"), self.queue_url(f"{function}-dead")
        taken = []
        while received := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=0
        ).get("Messages"):
            for message in received:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                attributes = message.get("MessageAttributes", {})
                taken.append({name: value["StringValue"] for name, value in attributes.items()})
        return taken

    def busy_workers(self, function: str) -> list[int]:
        """Return the processes that work on a call of a function now."""
        with urlopen(f"{self.env['NIGHTSHIFT_URL']}/workers") as answer:
            workers = json.load(answer)
        return [each["pid"] for each in workers if each["function"] == f"nightshift_{function}" and each["busy"]]

    def log(self, function: str) -> str:
        """Return what a function's workers wrote."""
        return (self.data_dir / "logs" / f"{function}.log").read_text()


def start(data_dir: Path, *options: str, database_url: str | None = None) -> RunningStack:
    """Start a detached stack by the command that a user types, and return when that command returns."""
    said = dev(data_dir, *options, database_url=database_url)
    assert said.code == 0, said.err
    return RunningStack(data_dir)


def dev(data_dir: Path, *options: str, database_url: str | None = None) -> Said:
    """Run `nightshift dev --detach` as a process and return what it said."""
    foreign = ("AWS_", "DATABASE_URL", "NIGHTSHIFT_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    env |= {"PYTHONPATH": str(ROOT)} | ({"DATABASE_URL": database_url} if database_url else {})
    command = [sys.executable, "-m", "local.cli", "dev", "--detach", "--port", "0", "--time-scale", TIME_SCALE]
    done = subprocess.run(
        [*command, "--data-dir", str(data_dir), *options], env=env, capture_output=True, text=True, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def stop(stack: RunningStack) -> None:
    """Stop a stack; one that does not stop is killed, and the test that left it so fails."""
    pid = running_pid(stack.data_dir)
    if pid is None:
        return
    said = stack.nightshift("stop")
    if said.code != 0:
        os.kill(pid, signal.SIGKILL)
    assert said.code == 0, said.err


def call(*arguments: str) -> Said:
    """Call the command line in this process."""
    out, err = StringIO(), StringIO()
    code: Any = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(list(arguments))
        except SystemExit as ended:
            code = ended.code
    return Said(int(code or 0), out.getvalue(), err.getvalue())


def until(look: Callable[[], T | None], what: str, *, limit: float = LIMIT_SECONDS, every: float = 0.1) -> T:
    """Return what `look` answers once that is true; fail the test when it takes too long."""
    give_up = time.monotonic() + limit
    while not (seen := look()):
        assert time.monotonic() < give_up, f"waited {limit:g} s for {what}"
        threading.Event().wait(every)
    return seen
