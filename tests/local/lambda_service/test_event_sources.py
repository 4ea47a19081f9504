"""Messages of a real local queue brought to real workers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from local.aws.queues import LocalQueue
from local.aws.time_scale import TimeScale
from local.lambda_service.event_sources import EventSourceMapping, EventSourcePoller
from tests.local.lambda_service.conftest import ACCOUNT, REGION, function, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Protocol

    from tests.local.lambda_service.conftest import MakeService

    class Poll(Protocol):
        def __call__(
            self, handler: str, *, workers: int = 2, visibility: int = 60, **mapping: Any
        ) -> EventSourcePoller: ...


class Inbox(LocalQueue):
    """A queue whose visibility timeout of 60 takes 0.6 s."""

    time_scale: ClassVar[TimeScale] = TimeScale(0.01)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox("nightshift_inbox", REGION, ACCOUNT, VisibilityTimeout="60")


@pytest.fixture
def poll(inbox: Inbox, make_service: MakeService, tmp_path: Path) -> Iterator[Poll]:
    """Start to feed a handler of `handlers/inbox.py` from the inbox."""
    pollers: list[EventSourcePoller] = []

    def start(handler: str, *, workers: int = 2, visibility: int = 60, **mapping: Any) -> EventSourcePoller:
        inbox.visibility_timeout = visibility
        environment = {"DIRECTORY": str(tmp_path)}
        service = make_service(function("inbox", f"inbox.{handler}", environment=environment), max_workers=workers)
        source = EventSourceMapping("nightshift_inbox", inbox.queue_arn, **mapping)
        poller = EventSourcePoller(source, inbox, service, workers=workers, time_scale=TimeScale(0.01))
        poller.start()
        pollers.append(poller)
        return poller

    yield start
    for poller in pollers:
        (tmp_path / "go").touch()
        poller.stop(10)


def calls(directory: Path) -> list[list[dict[str, Any]]]:
    """The records of every call that was remembered."""
    return [json.loads(path.read_text())["Records"] for path in directory.glob("*.json")]


def bodies(directory: Path) -> list[str]:
    return sorted(entry["body"] for records in calls(directory) for entry in records)


def held(inbox: Inbox) -> int:
    return int(inbox.approximate_number_of_messages + inbox.approximate_number_of_messages_not_visible)


def test_a_message_becomes_a_call_and_is_deleted(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    poll("remember", batch_size=1)

    message_id = inbox.send('{"detail-type": "x"}')
    wait_until(lambda: bool(calls(tmp_path)) and held(inbox) == 0)

    ((entry,),) = calls(tmp_path)
    assert (entry["messageId"], entry["body"]) == (message_id, '{"detail-type": "x"}')
    assert (entry["eventSource"], entry["eventSourceARN"]) == ("aws:sqs", inbox.queue_arn)
    assert entry["awsRegion"] == REGION
    assert entry["attributes"]["ApproximateReceiveCount"] == "1"


@pytest.mark.parametrize(("batch_size", "most"), [(1, 1), (10, 10)])
def test_no_call_has_more_messages_than_the_batch_size(
    inbox: Inbox, poll: Poll, tmp_path: Path, batch_size: int, most: int
) -> None:
    for number in range(25):
        inbox.send(f"{number:02}")

    poll("remember", batch_size=batch_size)
    wait_until(lambda: held(inbox) == 0)

    assert bodies(tmp_path) == [f"{number:02}" for number in range(25)]
    assert max(len(records) for records in calls(tmp_path)) == most


def test_a_window_gathers_what_comes_one_by_one(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    # The window is 5 s on the test's time scale, and ends early: the batch is full.
    poll("remember", workers=1, batch_size=25, window_seconds=500)

    for number in range(25):
        inbox.send(f"{number:02}")
    wait_until(lambda: held(inbox) == 0)

    assert [len(records) for records in calls(tmp_path)] == [25]


def test_a_window_ends_without_a_full_batch(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    poll("remember", workers=1, batch_size=100, window_seconds=10)

    inbox.send("alone")
    wait_until(lambda: held(inbox) == 0)

    assert bodies(tmp_path) == ["alone"]


def test_reported_failures_come_back_and_their_neighbours_do_not(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    for body in ("good", "bad", "fine"):
        inbox.send(body)

    poll("judge", workers=1, batch_size=10, report_batch_item_failures=True)
    wait_until(lambda: bodies(tmp_path).count("bad") >= 2)

    received = bodies(tmp_path)
    assert (received.count("good"), received.count("fine")) == (1, 1)
    counts = {
        int(entry["attributes"]["ApproximateReceiveCount"])
        for records in calls(tmp_path)
        for entry in records
        if entry["body"] == "bad"
    }
    assert {1, 2} <= counts


def test_without_report_batch_item_failures_a_return_deletes_all(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    for body in ("good", "bad"):
        inbox.send(body)

    poll("judge", batch_size=10)
    wait_until(lambda: held(inbox) == 0)

    assert bodies(tmp_path) == ["bad", "good"]


@pytest.mark.parametrize(
    "response", ['{"batchItemFailures": [{"itemIdentifier": ""}]}', '{"batchItemFailures": [{"id": "x"}]}', '"done"']
)
def test_a_wrong_response_brings_the_whole_batch_back(inbox: Inbox, poll: Poll, tmp_path: Path, response: str) -> None:
    inbox.send(response)
    inbox.send("neighbour")

    poll("answer", workers=1, visibility=20, batch_size=10, report_batch_item_failures=True)
    wait_until(lambda: len(calls(tmp_path)) >= 2)

    assert bodies(tmp_path).count(response) >= 2


def test_an_error_brings_the_whole_batch_back_after_its_visibility_timeout(
    inbox: Inbox, poll: Poll, tmp_path: Path
) -> None:
    for body in ("raise", "neighbour"):
        inbox.send(body)

    # 200 s of nominal visibility are two seconds: long enough to see that nothing came back at once.
    poll("judge", workers=1, visibility=200, batch_size=10, report_batch_item_failures=True)
    wait_until(lambda: len(calls(tmp_path)) == 1)
    in_flight = inbox.approximate_number_of_messages_not_visible
    wait_until(lambda: len(calls(tmp_path)) >= 2)

    assert in_flight == 2
    first = [entry for records in calls(tmp_path) for entry in records if entry["body"] == "neighbour"]
    assert len(first) >= 2


def test_a_message_that_kills_its_process_costs_no_neighbour_a_call(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    for number in range(9):
        inbox.send(f"good {number}")
    inbox.send("poison")

    poll("judge", batch_size=1, report_batch_item_failures=True)
    wait_until(lambda: bodies(tmp_path).count("poison") >= 3)

    received = bodies(tmp_path)
    assert sorted(set(received)) == [*(f"good {number}" for number in range(9)), "poison"]
    assert len([body for body in received if body != "poison"]) == 9
    assert held(inbox) == 1


def test_messages_are_received_only_when_their_call_can_begin(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    for number in range(6):
        inbox.send(str(number))

    poll("wait", workers=3, batch_size=1, maximum_concurrency=2)
    wait_until(lambda: len(list(tmp_path.glob("running-*"))) == 2)
    in_flight = inbox.approximate_number_of_messages_not_visible
    ready = inbox.approximate_number_of_messages
    (tmp_path / "go").touch()
    wait_until(lambda: held(inbox) == 0)

    assert (in_flight, ready) == (2, 4)


def test_stop_waits_for_running_calls_and_receives_nothing_more(inbox: Inbox, poll: Poll, tmp_path: Path) -> None:
    poller = poll("wait", workers=1, visibility=6000, batch_size=1)
    inbox.send("first")
    wait_until(lambda: len(list(tmp_path.glob("running-*"))) == 1)
    inbox.send("second")

    stopped_in_time = poller.stop(0.2)
    (tmp_path / "go").touch()
    stopped = poller.stop(20)

    assert (stopped_in_time, stopped) == (False, True)
    assert bodies(tmp_path) == ["first"]
    assert held(inbox) == 1


def test_stop_does_not_wait_for_a_long_poll(inbox: Inbox, poll: Poll) -> None:
    poller = poll("remember", workers=2)

    assert poller.stop(10)


def test_a_mapping_outlives_a_queue_that_fails(make_service: MakeService, tmp_path: Path) -> None:
    class Flaky(Inbox):
        failures = 1

        def receive(self, max_messages: int, wait_seconds: float) -> Any:
            if self.failures:
                self.failures -= 1
                raise OSError("no such queue for a moment")
            return super().receive(max_messages, wait_seconds)

    queue = Flaky("nightshift_flaky", REGION, ACCOUNT, VisibilityTimeout="60")
    service = make_service(function("inbox", "inbox.remember", environment={"DIRECTORY": str(tmp_path)}))
    source = EventSourceMapping("nightshift_inbox", queue.queue_arn)
    poller = EventSourcePoller(source, queue, service, workers=1)
    queue.send("after the fault")

    poller.start()
    wait_until(lambda: held(queue) == 0)

    assert poller.stop(10)
    assert bodies(tmp_path) == ["after the fault"]
