"""An event, a start, an end and a worker are lost on purpose: each run is driven on once, and nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from shared import clock
from shared.engine.identity import RunId
from shared.engine.ledger import Ledger
from shared.engine.recorder import RecordedEvent
from shared.engine.row import Row
from tests.end_to_end.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.conftest import Diary
    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

TABLE = "nightshift_ledger"
MACHINES = "arn:aws:states:us-east-1:123456789012:stateMachine:nightshift_"
INBOXES = ("stage-act", "stage-rehearse", "stage-end", "stage-wait", "platform-ledger", "platform-reconcile")


class Watch:
    """A stack whose reconciler is fired by hand."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self._ahead = timedelta(minutes=10)
        self.look()  # what other tests left behind is out of the way

    def look(self) -> dict[str, int]:
        """Reconcile as of a time at which everything that is open now is overdue; return what was found."""
        self.settled()
        as_of = clock.isoformat(datetime.now(UTC) + self._ahead)
        self._ahead *= 2.5  # what was found is looked at again when it is twice as old
        [run] = self.stack.ask("fire", "platform-reconcile", "--at", as_of)["runs"]
        ended = self.stack.ended(run["run_id"])
        assert ended["status"] == "completed", ended
        self.settled()
        return {finding: number for finding, number in ended["output"].items() if finding != "looked_at"}

    def settled(self) -> None:
        """Wait until every message was worked off."""
        for inbox in INBOXES:
            self.stack.drained(inbox)

    def open_items(self) -> list[dict[str, Any]]:
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName=TABLE, IndexName="open")
        return [item for page in pages for item in page["Items"]]

    def recorded(self, event_id: str) -> RecordedEvent:
        """Wait until an event was recorded."""
        pages = self.stack.client("dynamodb").get_paginator("scan")
        wanted: Any = {"FilterExpression": "event_id = :id", "ExpressionAttributeValues": {":id": {"S": event_id}}}

        def look() -> RecordedEvent | None:
            items = [item for page in pages.paginate(TableName=TABLE, **wanted) for item in page["Items"]]
            events = [item for item in items if item["pk"]["S"].startswith("event#")]
            return RecordedEvent.read(events[0]) if events else None

        return until(look, f"the record of event {event_id}")

    @contextmanager
    def without_rule(self, what: str, *, bus: str = "nightshift") -> Iterator[None]:
        """Let what a rule should deliver get lost."""
        events = self.stack.client("events")
        [rule] = [rule for rule in events.list_rules(EventBusName=bus)["Rules"] if what in rule["EventPattern"]]
        events.disable_rule(Name=rule["Name"], EventBusName=bus)
        yield
        events.enable_rule(Name=rule["Name"], EventBusName=bus)

    def accept(self, function: str, name: str, data: dict[str, Any]) -> RunId:
        """Write a run's row as its function does when it accepts it, and go no further, as one that then died."""
        event_id = uuid4().hex
        now = clock.isoformat(datetime.now(UTC))
        detail = {"data": data, "metadata": {"id": event_id}}
        event = {"detail-type": name, "source": "test", "time": now, "detail": detail}
        run = RunId.of(function, event_id)
        row = Row(run, function, "accepted", event_id, name, now, json.dumps(event))
        assert Ledger(self.stack.client("dynamodb"), TABLE).create(row) is None
        return run

    def has_ended(self, execution: str) -> bool:
        client = self.stack.client("stepfunctions")
        try:
            return bool(client.describe_execution(executionArn=execution)["status"] != "RUNNING")
        except client.exceptions.ExecutionDoesNotExist:
            return False


@pytest.fixture(scope="module")
def watch(stage: RunningStack) -> Watch:
    return Watch(stage)


@pytest.fixture(autouse=True)
def nothing_is_left(watch: Watch) -> Iterator[None]:
    """After each test a further look finds nothing, and nothing is unfinished."""
    yield
    assert watch.look() == {}
    assert watch.open_items() == []


def test_an_event_that_got_lost_reaches_its_function_once(watch: Watch, diary: Diary) -> None:
    event_id = uuid4().hex
    with watch.without_rule("stage/act"):
        run = watch.stack.send("stage/act", {"diary": str(diary.path)}, event_id=event_id)
        assert set(watch.recorded(event_id).functions) == {"stage-act"}
    assert run not in {each["run_id"] for each in watch.stack.runs("stage-act")}

    found = watch.look()

    assert found == {"event": 1}
    ended = watch.stack.ended(run)
    assert (ended["status"], ended["attempts"], ended["event_id"]) == ("completed", 1, event_id)
    assert len(diary.entries("effect")) == 1


def test_an_event_that_comes_after_all_is_a_duplicate(watch: Watch, diary: Diary) -> None:
    event_id = uuid4().hex
    with watch.without_rule("stage/rehearse"):
        data = {"diary": str(diary.path), "pause": 0}
        run = watch.stack.send("stage/rehearse", data, event_id=event_id)
        event = watch.recorded(event_id)

    found = watch.look()
    watch.stack.deliver("stage-rehearse", [event.event] * 3)
    watch.settled()

    assert found == {"event": 1}
    assert watch.stack.ended(run)["status"] == "completed"
    assert len(diary.entries("recited")) == 1


@pytest.mark.parametrize("function", ["stage-act", "stage-rehearse"])
def test_a_start_that_got_lost_is_made_up_for_once(watch: Watch, diary: Diary, function: str) -> None:
    data = {"diary": str(diary.path)} | ({"pause": 0} if function == "stage-rehearse" else {})
    run = watch.accept(function, function.replace("-", "/"), data)

    found = watch.look()

    assert found == {"start": 1}
    assert watch.stack.ended(str(run))["status"] == "completed"
    assert len(diary.entries("effect") + diary.entries("recited")) == 1


def test_a_worker_that_died_with_its_message_is_followed_by_another(watch: Watch, diary: Diary) -> None:
    gate = diary.path.with_name("gate")
    run = watch.stack.send("stage/act", {"diary": str(diary.path), "gate": str(gate)})
    until(lambda: diary.entries("started"), "the worker to begin")
    [pid] = watch.stack.busy_workers("stage-act")

    watch.stack.client("sqs").purge_queue(QueueUrl=watch.stack.queue_url("stage-act"))
    os.kill(pid, signal.SIGKILL)
    gate.touch()
    row = Ledger(watch.stack.client("dynamodb"), TABLE).get(RunId.parse(run))
    assert row is not None
    until(lambda: not row.is_held(datetime.now(UTC)), "the end of the dead worker's lease")

    assert watch.look() == {"worker": 1}
    ended = watch.stack.ended(run)
    assert (ended["status"], ended["attempts"]) == ("completed", 2)
    assert len(diary.entries("effect")) == 1


@pytest.mark.parametrize(
    ("how", "status"), [("finish", "completed"), ("refuse", "failed"), ("fail-state", "failed")], ids=str
)
def test_an_end_of_which_nobody_heard_is_found_and_told_once(watch: Watch, diary: Diary, how: str, status: str) -> None:
    with watch.without_rule("aws.states", bus="default"):
        run = watch.stack.send("stage/end", {"diary": str(diary.path), "how": how})
        execution = RunId.parse(run).execution_of(f"{MACHINES}stage-end")
        until(lambda: watch.has_ended(execution), "the execution's end")
        watch.settled()
    [before] = [each for each in watch.stack.runs("stage-end") if each["run_id"] == run]
    assert before["status"] == "running"

    found = watch.look()

    assert found == {"end": 1}
    assert watch.stack.ended(run)["status"] == status
    assert len(diary.entries("told")) == (0 if status == "completed" else 1)


def test_a_bad_end_whose_message_got_lost_is_told_once(watch: Watch, diary: Diary) -> None:
    run = watch.accept("stage-end", "stage/end", {"diary": str(diary.path), "how": "finish"})
    error = {"type": "StageFrightError", "message": "nobody came"}
    assert Ledger(watch.stack.client("dynamodb"), TABLE).fail(run, error=error)

    found = watch.look()

    assert found == {"failure": 1}
    [told] = diary.entries("told")
    assert (told["type"], told["message"]) == ("StageFrightError", "nobody came")


def test_a_hundred_events_that_got_lost_are_all_found(watch: Watch, diary: Diary) -> None:
    marker = uuid4().hex
    events = [
        {
            "EventBusName": watch.stack.env["EVENT_BUS_NAME"],
            "Source": "test",
            "DetailType": "stage/act",
            "Detail": json.dumps({"data": {"diary": str(diary.path)}, "metadata": {"id": f"{marker}-{number}"}}),
        }
        for number in range(100)
    ]
    with watch.without_rule("stage/act"):
        for start in range(0, 100, 10):
            watch.stack.client("events").put_events(Entries=events[start : start + 10])
        watch.settled()

    found = watch.look()

    assert found == {"event": 100}
    ended = watch.stack.all_ended("stage-act", {f"{marker}-{number}" for number in range(100)})
    assert {run["status"] for run in ended.values()} == {"completed"}
    assert len(diary.entries("effect")) == 100
