"""Each kind of bad end is told once: to the ledger, to the bus, and to `on_failure` with the failing step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.end_to_end.conftest import Diary
from tests.end_to_end.running import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.running import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]

TASK_ENDS: dict[str, tuple[str, int]] = {  # by the deed of every attempt: the error, the attempt
    "fail": ("StageFrightError", 3),
    "refuse": ("ForgottenLinesError", 1),
    "die": ("WorkerDiedError", 3),
    "hang": ("WorkerDiedError", 3),
}
WORKFLOW_ENDS: dict[str, tuple[str, str | None]] = {  # by how it ends: the error, the failing step
    "fail": ("StageFrightError", "perform"),
    "refuse": ("NonRetryableError", "perform"),
    "die": ("Runtime.ExitError", "perform"),
    "time-out": ("States.Timeout", "perform"),
    "pause": ("States.Timeout", "Pause"),
    "too-large": ("States.DataLimitExceeded", "SayTooMuch"),
    "bad-expression": ("States.QueryEvaluationError", "SayNothing"),
    "bad-path": ("States.Runtime", "LoseTheWay"),
    "fail-state": ("StageFrightError", "GiveUp"),
    "in-a-branch": ("StageFrightError", "perform"),
}


class News:
    """What comes over the bus about runs that did not succeed, kept in a queue of the test's own."""

    def __init__(self, stack: RunningStack) -> None:
        self._sqs, self._events = stack.client("sqs"), stack.client("events")
        self._rule = f"news-{uuid4().hex}"
        bus = stack.env["EVENT_BUS_NAME"]
        self._url = self._sqs.create_queue(QueueName=f"nightshift_{self._rule}")["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:123456789012:nightshift_{self._rule}"
        pattern = {"detail-type": [{"prefix": "nightshift/function."}]}
        rule = self._events.put_rule(Name=self._rule, EventBusName=bus, EventPattern=json.dumps(pattern))["RuleArn"]
        allowed = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self._sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        self._events.put_targets(Rule=self._rule, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        self._bus = bus
        self._seen: list[dict[str, Any]] = []

    def of(self, run: str) -> list[dict[str, Any]]:
        """Return the news of a run that have come by now."""
        while received := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in received:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                self._seen.append(json.loads(message["Body"]))
        return [event for event in self._seen if event["detail"]["data"]["run_id"] == run]

    def stop(self) -> None:
        """Take rule and queue away."""
        self._events.remove_targets(Rule=self._rule, EventBusName=self._bus, Ids=["queue"])
        self._events.delete_rule(Name=self._rule, EventBusName=self._bus)
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture(scope="module")
def news(stage: RunningStack) -> Iterator[News]:
    """What comes over the bus from now on."""
    news = News(stage)
    yield news
    news.stop()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Diary:
    """The diary of all runs of this module."""
    return Diary(tmp_path_factory.mktemp("ends") / "diary")


@pytest.fixture(scope="module")
def ended(stage: RunningStack, news: News, pages: Diary) -> dict[str, dict[str, Any]]:
    """All ends at once: some take their seconds."""
    diary = str(pages.path)
    runs = {f"task {deed}": stage.send("stage/act", {"diary": diary, "deeds": [deed]}) for deed in TASK_ENDS}
    runs |= {how: stage.send("stage/end", {"diary": diary, "how": how}) for how in WORKFLOW_ENDS}
    ended = {kind: stage.ended(run) for kind, run in runs.items()}
    until(lambda: len(pages.entries("told")) >= len(runs), "every bad end to be told")
    for function in ("stage-act", "stage-end"):
        stage.drained(function)
    return ended


def told(pages: Diary, run: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in pages.entries("told") if entry["event_id"] == run["event_id"]]


@pytest.mark.parametrize("deed", TASK_ENDS)
def test_a_tasks_bad_end_is_told_once(ended: dict[str, dict[str, Any]], pages: Diary, news: News, deed: str) -> None:
    error, attempt = TASK_ENDS[deed]
    run = ended[f"task {deed}"]

    assert (run["status"], run["error"]["type"], run["error"]["attempt"]) == ("failed", error, attempt)
    [entry] = told(pages, run)
    assert (entry["status"], entry["type"], entry["step"], entry["attempt"]) == ("failed", error, None, attempt)
    [event] = news.of(run["run_id"])
    assert event["detail-type"] == "nightshift/function.failed"
    assert event["detail"]["metadata"]["id"] == f"{run['run_id']}/nightshift:failed"


@pytest.mark.parametrize("how", WORKFLOW_ENDS)
def test_a_workflows_bad_end_is_told_once_with_the_failing_step(
    ended: dict[str, dict[str, Any]], pages: Diary, news: News, how: str
) -> None:
    error, step = WORKFLOW_ENDS[how]
    run = ended[how]

    assert (run["status"], run["error"]["type"], run["error"]["step"]) == ("failed", error, step)
    [entry] = told(pages, run)
    assert (entry["status"], entry["type"], entry["step"]) == ("failed", error, step)
    [event] = news.of(run["run_id"])
    assert event["detail"]["data"]["step"] == step
    assert event["detail"]["data"]["event"]["data"]["how"] == how


def test_a_stop_is_told_once_as_a_cancellation(stage: RunningStack, news: News, diary: Diary) -> None:
    run = stage.send("stage/end", {"diary": str(diary.path), "how": "hang"})
    until(lambda: diary.entries("started"), "the step's call")

    stage.client("stepfunctions").stop_execution(
        executionArn=f"arn:aws:states:us-east-1:123456789012:execution:nightshift_stage-end:{run}",
        error="Fire",
        cause="the theatre burns",
    )

    until(lambda: diary.entries("told"), "the cancellation to be told")
    stage.drained("stage-end")
    [entry] = diary.entries("told")
    assert (entry["status"], entry["type"], entry["message"]) == ("cancelled", "Fire", "the theatre burns")
    assert entry["step"] == "perform"
    [event] = until(lambda: news.of(run), "the news")
    assert event["detail-type"] == "nightshift/function.cancelled"


def test_a_run_that_ends_well_is_told_of_to_nobody(stage: RunningStack, news: News, diary: Diary) -> None:
    run = stage.send("stage/end", {"diary": str(diary.path), "how": "finish"})

    assert stage.ended(run)["status"] == "completed"
    stage.drained("stage-end")
    assert diary.entries("told") == []
    assert news.of(run) == []


def test_on_failure_that_dies_is_tried_again(stage: RunningStack, diary: Diary) -> None:
    stage.send("stage/act", {"diary": str(diary.path), "deeds": ["refuse"], "deeds_when_told": ["die", "finish"]})

    until(lambda: len(diary.entries("told")) == 2, "the second attempt of on_failure")
    stage.drained("stage-act")

    assert len(diary.entries("told")) == 2


def test_a_dead_letter_sent_back_is_the_next_generation(stage: RunningStack, diary: Diary) -> None:
    gate = diary.path.with_name("gate")
    data = {"diary": str(diary.path), "deeds": ["refuse"]}
    event_id = f"again-{gate}"
    first = stage.send("stage/act", data, event_id=event_id)
    until(lambda: diary.entries("told"), "the failure to be told")
    sqs, dead = stage.client("sqs"), stage.queue_url("stage-act-dead")
    bodies = until(lambda: _bodies(sqs, dead, event_id), "the dead letter")

    stage.deliver("stage-act", bodies * 2)

    ended = stage.ended(f"{first}-1")
    assert (ended["status"], ended["generation"]) == ("failed", 1)
    stage.drained("stage-act")
    assert len(diary.entries("started")) == 2


def _bodies(sqs: Any, url: str, event_id: str) -> list[str]:
    """Take the dead letters of an event; those of other tests stay."""
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=20).get("Messages", [])
    mine = [message for message in received if event_id in message["Body"]]
    for message in mine:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in mine]
