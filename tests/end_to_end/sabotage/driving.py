"""Plan where workers die, send events, and let the stack come to rest."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, Literal

from local.template.registry import as_text, registry_of
from shared import clock
from shared.engine.identity import RunId
from tests.end_to_end.running import QUEUE_STATES, ROOT, RunningStack, start, until

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

APPLICATION: Final = Path(__file__).parent / "application"
FUNCTIONS: Final = ("sabotage-work", "sabotage-paced", "sabotage-flow", "sabotage-watch")
INBOXES: Final = (*FUNCTIONS, "platform-ledger", "platform-reconcile")
AHEAD: Final = timedelta(minutes=65)  # as of then everything that is unfinished is overdue
FURTHER: Final = timedelta(hours=13)  # as of so much later it is overdue once more, after the longest pause
PASSES: Final = 10  # of the reconciler, until nothing is left to drive on
EVENTS: Final = {name: name.replace("-", "/") for name in FUNCTIONS[:3]}  # what wakes each
TABLE: Final = "nightshift_ledger"


@dataclass(frozen=True, order=True)
class KillPoint:
    """Where a run's worker dies: `before` or `after` it comes by `label` for the n-th time."""

    label: str
    occurrence: int
    when: Literal["before", "after"]

    def __str__(self) -> str:
        return f"{self.when} {self.label}" + (f" ({self.occurrence})" if self.occurrence > 1 else "")


@dataclass
class Sabotage:
    """A running stack of the application, and the folder in which its plans and its diary are."""

    stack: RunningStack
    root: Path
    _clients: dict[str, Any] = field(default_factory=dict)
    _urls: dict[str, str] = field(default_factory=dict)
    _making: Lock = field(default_factory=Lock)

    def plan(self, run: str, plan: Mapping[str, Any]) -> None:
        """Let the run's workers die as `kill_points.Watched` is told; an empty plan only has their calls noted."""
        (self.root / "plans" / run).write_text(json.dumps(plan))

    def send(self, function: str, data: Mapping[str, Any], *, event_id: str, point: KillPoint | None = None) -> str:
        """Send the event that wakes `function`, with a plan for its run, and return the run's id."""
        run = str(RunId.of(function, event_id))
        self.plan(run, asdict(point) if point else {})
        self.put([entry(function, data, event_id)])
        return run

    def send_garbage(self, function: str, *, name: str, point: KillPoint | None = None) -> str:
        """Put what is no event into an inbox, with a plan of that name, and return the id of the run that it gets."""
        self.plan(name, asdict(point) if point else {})
        message = self.client("sqs").send_message(QueueUrl=self.queue_url(function), MessageBody=name)
        return str(RunId.of(function, f"sqs:{message['MessageId']}"))

    def put(self, entries: list[dict[str, Any]]) -> None:
        """Put at most ten events on the bus."""
        assert self.client("events").put_events(Entries=entries)["FailedEntryCount"] == 0

    def client(self, service: str) -> Any:
        """Return a client that is made once."""
        with self._making:
            if service not in self._clients:
                self._clients[service] = self.stack.client(service)
            return self._clients[service]

    def queue_url(self, queue: str) -> str:
        """Return the URL of a queue by its name without the stack's, asked for once."""
        if queue not in self._urls:
            self._urls[queue] = self.stack.queue_url(queue)
        return self._urls[queue]

    def labels(self, run: str) -> list[str]:
        """Return what a planned run has come by so far."""
        path = self.root / "calls" / run
        return path.read_text().splitlines() if path.exists() else []

    def entries(self) -> list[dict[str, Any]]:
        """Return what the targets did; entries that are `kept` say that an effect is on record."""
        return lines(self.root / "diary", json.loads)

    def kills(self) -> list[str]:
        """Return `<plan>: <when> <label>` of each planned death that came about."""
        return lines(self.root / "kills", str)

    def unfinished(self) -> list[str]:
        """Return the keys of what the ledger still has open: runs and events."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE, IndexName="open")
        return [item["pk"]["S"] for page in pages for item in page["Items"]]

    def settle(self, *, limit: float = 240.0) -> None:
        """Let the inboxes do all they can, then the reconciler, until nothing is left open."""
        left: list[str] = []
        for number in range(PASSES):
            self.drain(limit=limit)
            left = self.unfinished()
            if not left:
                return
            self.reconcile(AHEAD + number * FURTHER)
        raise AssertionError(f"after {PASSES} passes of the reconciler {len(left)} are open: {left[:10]}")

    def drain(self, *, limit: float) -> None:
        """Wait until no inbox holds a message and no execution runs."""
        until(self._is_quiet, "the inboxes to be empty", limit=limit, every=0.2)

    def wait_for_backlog(self, most: int) -> None:
        """Wait until all inboxes together hold at most so many messages."""
        until(lambda: sum(self.messages().values()) <= most, f"a backlog of {most}", limit=600, every=0.2)

    def reconcile(self, ahead: timedelta) -> dict[str, int]:
        """Run the reconciler as if it were so much later; return what it drove on, by the kind of finding."""
        at = (clock.now() + ahead).isoformat()
        [fired] = self.stack.ask("fire", "platform-reconcile", "--at", at)["runs"]
        ended = self.stack.ended(fired["run_id"])
        assert ended["status"] == "completed", ended["error"]
        return {kind: number for kind, number in ended["output"].items() if kind != "looked_at"}

    def messages(self) -> dict[str, int]:
        """Return how many messages each inbox holds."""
        names = [f"ApproximateNumberOfMessages{state}" for state in QUEUE_STATES]
        sqs = self.client("sqs")
        answers = {
            inbox: sqs.get_queue_attributes(QueueUrl=self.queue_url(inbox), AttributeNames=names) for inbox in INBOXES
        }
        return {inbox: sum(map(int, answer["Attributes"].values())) for inbox, answer in answers.items()}

    def _is_quiet(self) -> bool:
        """Whether no inbox holds a message and no execution runs; twice, for a message may move while we count."""
        return all(not any(self.messages().values()) and not self._is_running() for _ in range(2))

    def _is_running(self) -> bool:
        client = self.client("stepfunctions")
        [machine] = client.list_state_machines()["stateMachines"]
        arn = machine["stateMachineArn"]
        return bool(client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"])


def entry(function: str, data: Mapping[str, Any], event_id: str) -> dict[str, Any]:
    """Return the event that wakes `function` as PutEvents takes it."""
    detail = json.dumps({"data": data, "metadata": {"id": event_id}})
    return {"EventBusName": "nightshift", "Source": "test", "DetailType": EVENTS[function], "Detail": detail}


def lines(path: Path, read: Any) -> list[Any]:
    """Return each line of a file as `read` makes it; none of a file that is not there."""
    return [read(line) for line in path.read_text().splitlines()] if path.exists() else []


def begin(folder: Path, *options: str, batch: int = 1) -> Sabotage:
    """Start a stack of a fresh copy of the application in `folder`.

    `batch` is how many messages a call of the workflow and of the recorder takes: with one, a death is one run's.
    """
    root = folder / "checkout"
    shutil.copytree(APPLICATION, root, ignore=shutil.ignore_patterns("__pycache__"))
    for package in ("shared", "functions"):
        (root / package).symlink_to(ROOT / package)
    for name in ("plans", "calls", "asked"):
        (root / name).mkdir()
    template = root / "template.yaml"
    template.write_text(template.read_text().replace("BatchSize: 1 #", f"BatchSize: {batch} #"))
    (root / "registry.json").write_text(as_text(registry_of(template)))
    stack = start(folder / ".nightshift", "--template", str(template), *options)
    return Sabotage(stack, root)


def points_of(labels: Iterable[str], *, until: str = "", at_most: int = 2) -> list[KillPoint]:
    """Return a kill point before and one after each label; of one that comes again and again the first few.

    `until` is the label after which nothing new comes.
    """
    seen: Counter[str] = Counter()
    points = []
    for label in labels:
        seen[label] += 1
        if seen[label] <= at_most:
            points += [KillPoint(label, seen[label], "before"), KillPoint(label, seen[label], "after")]
        if label == until:
            break
    return points
