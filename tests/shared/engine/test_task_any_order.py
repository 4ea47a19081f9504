"""Whatever is delivered, lost, repeated or killed, and in whatever order: what the engine promises of a run holds."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared import aws, clock
from shared.engine import Continue, Failure, NonRetryableError, RetryAfter, Run, Task, Throttle, Timeouts
from shared.engine.control import Control, Kind
from shared.engine.gcra import Slots
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import Row
from tests.dying import at_call
from tests.effects import DiedError
from tests.factories import Greeted, envelope
from tests.simulated_inbox import SimulatedInbox, Waiting
from tests.stack import Stack

Outcome = Literal["done", "fails", "cannot succeed", "waits", "goes on", "dies"]
OUTCOMES: tuple[Outcome, ...] = ("done", "fails", "cannot succeed", "waits", "goes on", "dies")
WHEN_TOLD = ("done", "fails", "dies")
# Where something happens to the worker: at which call of AWS, before or after it.
POINTS = st.tuples(st.integers(1, 7), st.sampled_from(["before", "after"]))
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"timeouts": Timeouts(finish="10m")},
    {"throttle": Throttle(1, "5m", key="name"), "timeouts": Timeouts(start="20m")},
)
_numbers = count()


class OneRun(RuleBasedStateMachine):
    """One run of a task, its inbox, and everything that can happen to them."""

    def __init__(self, stack: Stack) -> None:
        super().__init__()
        self.stack = stack
        self.event_id = f"any-order-{next(_numbers)}"
        self.run = RunId.of("demo-greet", self.event_id)
        self.event = envelope(metadata={"id": self.event_id}, data={"name": self.event_id})
        self.outcome: Outcome = "done"
        self.outcome_when_told: Literal["done", "fails", "dies"] = "done"
        self.at_work = self.told = self.deaths = self.returned = 0
        self.was_over = False
        self.ended: str | None = None
        self.first_done = len(stack.done)

    @initialize(policies=st.sampled_from(POLICIES), attempts=st.integers(1, 3))
    def deploy(self, policies: dict[str, Any], attempts: int) -> None:
        self.task = Task("demo-greet", trigger=Greeted, attempts=attempts, **policies)
        self.task(self._work)
        self.task.on_failure(self._be_told)
        self.inbox = SimulatedInbox(self.stack, self.task.handler, most_receives=attempts + 2)
        self.inbox.put(self.event)
        if (throttle := policies.get("throttle")) is not None:  # another run has the first slot
            key = throttle.item_key("demo-greet", Greeted(name=self.event_id))
            slots = Slots(aws.client("dynamodb"), "test_flow")
            slots.throttle(throttle, key, run="another", now=clock.milliseconds(clock.now()))

    @property
    def row(self) -> Row | None:
        return ledger().get(self.run)

    # --- what the author's code does ---

    def _work(self, _event: Greeted, run: Run) -> Any:
        _must(not self.was_over, "no work after the end")
        _must(run.attempt <= self.task.attempts, "no attempt too many")
        _must(self.at_work == 0, "one works at a time")
        self.at_work += 1
        try:
            row = self.row  # a call of AWS like another: here something may happen to it
            _must(
                row is not None and (row.is_held(clock.now()) or row.status == "cancelled"), "no work without a lease"
            )
            match self.outcome:
                case "fails":
                    raise ValueError("no")
                case "cannot succeed":
                    raise NonRetryableError("never")
                case "waits":
                    raise RetryAfter(90)
                case "goes on":
                    raise Continue((run.cursor or 0) + 1)
                case "dies":
                    raise DiedError("at work")
            return "done"
        finally:
            self.at_work -= 1

    def _be_told(self, _event: Greeted, failure: Failure) -> None:
        _must(failure.run.attempt <= self.task.attempts, "no attempt too many")
        _must(self.told == 0, "one is told at a time")
        self.told += 1
        try:
            row = self.row
            _must(row is not None and row.status == failure.status, "what is told is what the row says")
            _must(row is not None and row.failure == "told", "the news first, and nothing once it is handled")
            if self.outcome_when_told == "fails":
                raise ValueError("no")
            if self.outcome_when_told == "dies":
                raise DiedError("while it was told")
            self.returned += 1
        finally:
            self.told -= 1

    # --- what happens ---

    @precondition(lambda self: self.inbox.messages)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(OUTCOMES),
        when_told=st.sampled_from(WHEN_TOLD),
        point=POINTS,
    )
    def deliver(self, data: st.DataObject, outcome: Outcome, when_told: Any, point: Any) -> None:
        message = data.draw(st.sampled_from(self.inbox.messages), "message")
        other = data.draw(st.none() | st.sampled_from(self.inbox.messages), "delivered then, or else the worker dies")

        def happens(_operation: str) -> None:
            if other is None:
                raise DiedError(str(point))
            if other in self.inbox.messages:
                self.inbox.deliver(other)
            self.an_end_is_the_end()

        number, when = point
        with at_call(self.stack, number, when, happens):
            self._deliver(message, outcome, when_told)

    @precondition(lambda self: self.inbox.messages)
    @rule(outcome=st.sampled_from(OUTCOMES), when_told=st.sampled_from(WHEN_TOLD))
    def deliver_what_is_next(self, outcome: Outcome, when_told: Any) -> None:
        self._deliver(min(self.inbox.messages, key=lambda message: message.visible_at), outcome, when_told)

    def _deliver(self, message: Waiting, outcome: Outcome, when_told: Any) -> None:
        self.outcome, self.outcome_when_told, self.was_over = outcome, when_told, self.ended is not None
        if message.visible_at > clock.now():
            self.stack.clock.advance(message.visible_at - clock.now())
        self.deaths += not self.inbox.deliver(message)

    @rule()
    def deliver_the_event_again(self) -> None:
        self.inbox.put(self.event)

    @rule(kind=st.sampled_from(["due", "deadline", "failure", "cancel"]))
    def ask_for(self, kind: Kind) -> None:
        self.inbox.put(Control(kind=kind, run=str(self.run)).as_json())

    @precondition(lambda self: self.row is not None and self.inbox.messages)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.inbox.messages.remove(data.draw(st.sampled_from(self.inbox.messages), "lost"))

    @rule(seconds=st.sampled_from([1, 30, 60, 300, 1_000]))
    def wait(self, seconds: int) -> None:
        self.stack.advance(seconds=seconds)

    @invariant()
    def an_end_is_the_end(self) -> None:
        row = self.row
        if row is None or row.is_open:
            assert self.ended is None
        else:
            assert self.ended in {None, row.status}
            self.ended = row.status

    # --- when the dust settles ---

    def teardown(self) -> None:
        if not hasattr(self, "inbox"):
            return
        self.outcome, self.outcome_when_told, self.was_over = "done", "done", self.ended is not None
        self.inbox.put(self.event)  # as the reconciler does for an event whose run has no row
        for _ in range(10):
            self.inbox.work_off(limit=timedelta(days=30))
            row = self.row
            assert row is not None
            check_at = self.stack.check_at("demo-greet", self.event_id)
            if check_at is None:  # it is in the index no longer
                break
            self.stack.clock.advance(max(check_at - clock.now(), timedelta(0)))
            self.inbox.put(Control(kind="due" if row.is_open else "failure", run=str(self.run)).as_json())
        self._is_over()

    def _is_over(self) -> None:
        row = self.row
        assert row is not None
        assert not row.is_open
        news = [each["metadata"]["id"] for each in self.stack.news() if each["data"]["run_id"] == str(self.run)]
        dead = [body for body in self._dead_letters() if "nightshift" not in body]
        if row.status == "completed":
            assert (self.returned, news, dead, row.failure) == (0, [], [], None)
            return
        assert set(news) == {f"{self.run}/nightshift:{row.status}"}
        assert len(set(dead)) == (row.status == "failed")
        if row.failure == "told":  # given up, for a person to send back
            assert (self.returned, any('"failure"' in body for body in self._dead_letters())) == (0, True)
        else:
            assert row.failure == "handled"
            assert 1 <= self.returned <= 1 + self.deaths

    def _dead_letters(self) -> list[str]:
        done = self.stack.done[self.first_done :]
        sent = [call for name, call in done if name == "SendMessage" and "MessageAttributes" in call]
        return [
            call["MessageBody"] for call in sent if call["MessageAttributes"]["RunId"]["StringValue"] == str(self.run)
        ]


def _must(holds: bool, what: str) -> None:
    """Fail the test from inside the author's code, where an AssertionError is one failed attempt."""
    if not holds:
        pytest.fail(what)


def test_a_task_keeps_its_promises(stack: Stack) -> None:
    run_state_machine_as_test(
        lambda: OneRun(stack),  # type: ignore[arg-type] # what makes one will do
        settings=settings(
            max_examples=50,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),  # moto is slow, and the stack serves all examples
        ),
    )
