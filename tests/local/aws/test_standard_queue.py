import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from local.aws.messages import QueuedMessage, ReceivedMessage
from local.aws.standard_queue import (
    NotInFlightError,
    ReceiptHandleError,
    Receive,
    StandardQueue,
    VisibilityLimitError,
)
from local.aws.time_scale import TimeScale

DAY = 86_400.0


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> StandardQueue:
    return StandardQueue(clock=clock)


def ask(max_messages: int = 10, **overrides: Any) -> Receive:
    wanted = {"wait": 0.0, "visibility": 30.0, "retention": 4 * DAY} | overrides
    return Receive(max_messages, **wanted)


def receive(queue: StandardQueue, **overrides: Any) -> list[ReceivedMessage]:
    received, dead = queue.receive(ask(**overrides))
    assert not dead
    return received


def test_hides_a_received_message_until_its_visibility_timeout(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a"))

    first = receive(queue)
    clock.now += 29.9
    early = receive(queue)
    clock.now += 0.1
    again = receive(queue)

    assert [m.body for m in first] == ["a"]
    assert early == []
    assert [m.message_id for m in again] == [first[0].message_id]
    assert again[0].receipt_handle != first[0].receipt_handle


def test_counts_receives_and_remembers_the_first(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a", group_id="org-1"))
    clock.now += 5
    receive(queue)
    clock.now += 30

    (message,) = receive(queue)

    assert message.attributes == {
        "SenderId": message.attributes["SenderId"],
        "SentTimestamp": "1000000000",
        "ApproximateFirstReceiveTimestamp": "1000005000",
        "ApproximateReceiveCount": "2",
        "MessageGroupId": "org-1",
    }


def test_hides_a_delayed_message(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("later"), delay=60)

    before = receive(queue)
    counted = queue.count("delayed")
    clock.now += 60

    assert (before, counted) == ([], 1)
    assert [m.body for m in receive(queue)] == ["later"]


def test_scales_what_it_waits_for(clock: Clock) -> None:
    queue = StandardQueue(TimeScale(0.01), clock)
    queue.send(QueuedMessage("a"), delay=100)

    clock.now += 1
    first = receive(queue, visibility=300)
    clock.now += 2.9
    early = receive(queue)
    clock.now += 0.2

    assert (len(first), early, len(receive(queue))) == (1, [], 1)


def test_keeps_a_message_that_was_received_again_when_an_old_handle_deletes_it(
    queue: StandardQueue, clock: Clock
) -> None:
    queue.send(QueuedMessage("a"))
    (old,) = receive(queue)
    clock.now += 31
    (new,) = receive(queue)

    queue.delete(old.receipt_handle)
    kept = queue.count("in flight")
    queue.delete(new.receipt_handle)

    assert (kept, queue.count("in flight")) == (1, 0)


def test_deletes_by_a_late_handle_when_nobody_received_the_message_since(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue)
    clock.now += 31

    queue.delete(message.receipt_handle)

    assert receive(queue) == []
    assert queue.count("ready") == 0


def test_deletes_twice_without_an_error(queue: StandardQueue) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue)

    queue.delete(message.receipt_handle)
    queue.delete(message.receipt_handle)

    assert queue.count("in flight") == 0


@pytest.mark.parametrize("handle", ["", "no base64!", "bm90IG91cnM=", "4pyT"])
def test_refuses_what_was_never_a_handle(queue: StandardQueue, handle: str) -> None:
    with pytest.raises(ReceiptHandleError):
        queue.delete(handle)


def test_refuses_the_handle_of_a_queue_of_the_same_name(queue: StandardQueue) -> None:
    other = StandardQueue()
    other.send(QueuedMessage("a"))
    (message,) = receive(other)

    with pytest.raises(ReceiptHandleError):
        queue.delete(message.receipt_handle)


def test_gives_a_message_back_at_once_at_visibility_zero(queue: StandardQueue) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue)

    queue.change_visibility(message.receipt_handle, 0)

    assert [m.attributes["ApproximateReceiveCount"] for m in receive(queue)] == ["2"]


def test_extends_a_visibility_timeout_from_now(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue)
    clock.now += 20

    queue.change_visibility(message.receipt_handle, 60)
    clock.now += 59
    early = receive(queue)
    clock.now += 1

    assert (early, len(receive(queue))) == ([], 1)


def test_refuses_to_hide_a_message_for_more_than_12_hours(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue, visibility=600)
    clock.now += 500

    with pytest.raises(VisibilityLimitError):
        queue.change_visibility(message.receipt_handle, 43_200)


def test_refuses_to_hide_a_message_that_is_not_in_flight(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("a"))
    (message,) = receive(queue)
    clock.now += 31

    with pytest.raises(NotInFlightError):
        queue.change_visibility(message.receipt_handle, 60)


def test_moves_a_message_after_its_last_receive_with_its_id_and_count(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("poison"))
    dead_letters = StandardQueue(clock=clock)
    for _ in range(2):
        (last,) = receive(queue, max_receives=2)
        clock.now += 30

    received, dead = queue.receive(ask(max_receives=2))
    for message in dead:
        dead_letters.adopt(message, "arn:source")

    assert received == []
    assert queue.count("ready") == queue.count("in flight") == 0
    (moved,) = receive(dead_letters)
    assert moved.message_id == last.message_id
    assert moved.attributes["SentTimestamp"] == last.attributes["SentTimestamp"]
    assert moved.attributes["ApproximateReceiveCount"] == "3"
    assert moved.attributes["DeadLetterQueueSourceArn"] == "arn:source"


def test_forgets_a_message_after_its_retention(queue: StandardQueue, clock: Clock) -> None:
    queue.send(QueuedMessage("old"))
    clock.now += 59
    queue.send(QueuedMessage("new"))
    clock.now += 1

    assert [m.body for m in receive(queue, retention=60)] == ["new"]


def test_forgets_everything_when_purged(queue: StandardQueue) -> None:
    for body in ("a", "b", "c"):
        queue.send(QueuedMessage(body))
    receive(queue, max_messages=1)

    queue.purge()

    assert (queue.count("ready"), queue.count("in flight"), receive(queue)) == (0, 0, [])


def test_keeps_little_of_messages_that_left(queue: StandardQueue) -> None:
    for _ in range(2_000):
        queue.send(QueuedMessage("a"))
        (message,) = receive(queue, visibility=43_200)
        queue.delete(message.receipt_handle)

    assert len(queue._hidden) < 100


def wait_for_a_waiter(queue: StandardQueue) -> None:
    limit = time.monotonic() + 5
    while not queue._changed._waiters:  # type: ignore[attr-defined]  # nothing public shows it
        assert time.monotonic() < limit, "nobody waits"


@pytest.mark.parametrize("end", [StandardQueue.close, StandardQueue.interrupt])
def test_ends_a_receive_that_waits(end: Callable[[StandardQueue], None]) -> None:
    queue = StandardQueue()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, queue, wait=60)
        wait_for_a_waiter(queue)
        end(queue)

    assert waiting.result(timeout=5) == []


@pytest.mark.parametrize("bring", ["send", "delay", "visibility"])
def test_wakes_a_receive_that_waits(bring: str) -> None:
    queue = StandardQueue(TimeScale(0.01))
    if bring == "visibility":
        queue.send(QueuedMessage("a"))
        receive(queue, visibility=30)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, queue, wait=60)
        wait_for_a_waiter(queue)
        if bring != "visibility":
            queue.send(QueuedMessage("a"), delay=20 if bring == "delay" else 0)

    assert [m.body for m in waiting.result(timeout=5)] == ["a"]


class QueueAgainstModel(RuleBasedStateMachine):
    """Any order of calls does to the queue what it does to a plain list of messages."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue = StandardQueue(clock=self.clock)
        self.visible_at: dict[str, float] = {}
        self.in_flight: set[str] = set()
        self.newest: dict[str, str] = {}
        self.stale: list[str] = []
        self.counts: dict[str, int] = {}

    def visible(self) -> set[str]:
        return {i for i, at in self.visible_at.items() if at <= self.clock.now}

    def some_message(self, data: st.DataObject) -> str:
        """Draw by place, not by id: ids are random, and a replayed example must draw the same."""
        return list(self.newest)[data.draw(st.integers(0, len(self.newest) - 1))]

    @rule(delay=st.integers(0, 5))
    def send(self, delay: int) -> None:
        message = QueuedMessage("body")
        self.queue.send(message, delay)
        self.visible_at[message.message_id] = self.clock.now + delay

    @rule(most=st.integers(1, 10), visibility=st.integers(0, 5))
    def receive(self, most: int, visibility: int) -> None:
        visible = self.visible()
        received = receive(self.queue, max_messages=most, visibility=visibility)
        ids = [message.message_id for message in received]
        assert len(ids) == len(set(ids)) == min(most, len(visible))
        assert set(ids) <= visible
        for message in received:
            if message.message_id in self.newest:
                self.stale.append(self.newest[message.message_id])
            self.newest[message.message_id] = message.receipt_handle
            self.in_flight.add(message.message_id)
            self.visible_at[message.message_id] = self.clock.now + visibility
            self.counts[message.message_id] = self.counts.get(message.message_id, 0) + 1
            assert message.attributes["ApproximateReceiveCount"] == str(self.counts[message.message_id])

    @precondition(lambda self: self.newest)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        message_id = self.some_message(data)
        self.queue.delete(self.newest.pop(message_id))
        self.in_flight.discard(message_id)
        del self.visible_at[message_id]

    @precondition(lambda self: self.stale)
    @rule(data=st.data())
    def delete_by_a_stale_handle(self, data: st.DataObject) -> None:
        self.queue.delete(self.stale[data.draw(st.integers(0, len(self.stale) - 1))])

    @precondition(lambda self: self.newest)
    @rule(data=st.data(), seconds=st.integers(0, 5))
    def change_visibility(self, data: st.DataObject, seconds: int) -> None:
        message_id = self.some_message(data)
        if message_id in self.visible():
            with pytest.raises(NotInFlightError):
                self.queue.change_visibility(self.newest[message_id], seconds)
        else:
            self.queue.change_visibility(self.newest[message_id], seconds)
            self.visible_at[message_id] = self.clock.now + seconds

    @rule(seconds=st.integers(1, 6))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.now += seconds

    @invariant()
    def counts_agree(self) -> None:
        visible = self.visible()
        hidden = self.visible_at.keys() - visible
        assert self.queue.count("ready") == len(visible)
        assert self.queue.count("in flight") == len(hidden & self.in_flight)
        assert self.queue.count("delayed") == len(hidden - self.in_flight)


TestQueueAgainstModel = QueueAgainstModel.TestCase
TestQueueAgainstModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
