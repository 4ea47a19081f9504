"""Slots against a reference of the algorithm: in exact fractions, one caller after the other, without DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from fractions import Fraction
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.aws.server import AwsServer
from shared.engine.gcra import DAY, LONGEST_WAIT, Slots
from shared.engine.policies import RateLimit, Throttle

NOW = 1_767_225_600_000  # 2026-01-01
TEN_A_MINUTE = Throttle(10, "1m")
THREADS = 16


class Callers:
    """Whoever asks for slots on one table of a server whose conditional writes are atomic."""

    def __init__(self, server: AwsServer, table: str) -> None:
        self.client = server.client("dynamodb")
        self.table = table
        self.slots = Slots(self.client, table)
        self._runs = count()

    def ask(self, key: str, policy: Throttle | RateLimit, now: int, **more: Any) -> int | None:
        run = more.pop("run", None) or f"run-{next(self._runs)}"
        return self.slots.reserve(key, policy.rate, run=run, now=now, **more)

    def ask_all(self, key: str, policy: Throttle | RateLimit, nows: Sequence[int]) -> list[int]:
        slots = [self.ask(key, policy, now) for now in nows]
        return [slot for slot in slots if slot is not None]

    def ask_at_once(self, key: str, policy: Throttle | RateLimit, runs: int, **more: Any) -> list[int | None]:
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(lambda run: self.ask(key, policy, NOW, run=f"at once {run}", **more), range(runs)))

    def item(self, key: str) -> dict[str, Any]:
        item: dict[str, Any] = self.client.get_item(TableName=self.table, Key={"pk": {"S": key}})["Item"]
        return item


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    server = AwsServer.start()
    yield server
    server.stop()


@pytest.fixture
def callers(server: AwsServer) -> Callers:
    # a table a test: tests of other modules may empty moto's state
    table = f"flow-{uuid4().hex}"
    server.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return Callers(server, table)


@pytest.fixture
def calls(callers: Callers) -> Iterator[list[str]]:
    """The names of the calls to DynamoDB."""
    made: list[str] = []

    def note(model: Any, **_: Any) -> None:
        made.append(model.name)

    events = callers.client.meta.events
    events.register("before-call.dynamodb", note)
    yield made
    events.unregister("before-call.dynamodb", note)


@pytest.fixture
def meanwhile(callers: Callers) -> Iterator[Callable[[int, Callable[[], object]], None]]:
    """Have something done just before the n-th UpdateItem from now."""
    pending: dict[int, Callable[[], object]] = {}
    numbers = count(1)

    def interrupt(**_: Any) -> None:
        pending.pop(next(numbers), lambda: None)()

    events = callers.client.meta.events
    events.register("before-call.dynamodb.UpdateItem", interrupt)
    yield pending.__setitem__
    events.unregister("before-call.dynamodb.UpdateItem", interrupt)


@pytest.fixture
def lose_answer(callers: Callers) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Have the client send its next UpdateItem twice, as after a broken connection, and something done between."""
    pending: list[Callable[[], object]] = []

    def retry(**_: Any) -> float | None:
        if not pending:
            return None
        pending.pop()()
        return 0.0

    events = callers.client.meta.events
    events.register_first("needs-retry.dynamodb.UpdateItem", retry)
    yield pending.append
    events.unregister("needs-retry.dynamodb.UpdateItem", retry)


def reference(policy: Throttle | RateLimit, nows: Sequence[int]) -> list[Fraction]:
    """The slots in ms, as fractions: period / limit is not rounded here."""
    interval = Fraction(policy.period // timedelta(milliseconds=1), policy.limit)
    tat, slots = Fraction(0), []
    for now in nows:
        base = max(tat, Fraction(now))
        slots.append(max(Fraction(now), base - (policy.rate.capacity - 1) * interval))
        tat = base + interval
    return slots


def most_in(window: int, slots: Sequence[int]) -> int:
    """The most slots in any `window` ms."""
    return max(sum(first <= slot < first + window for slot in slots) for first in slots)


POLICIES = st.builds(
    lambda limit, period, burst: Throttle(limit, timedelta(milliseconds=period), burst=burst),
    st.integers(1, 12),
    st.sampled_from([1000, 1001, 60_000, 3_600_000]),
    st.integers(0, 3),
)
GAPS = st.lists(st.sampled_from([0, 0, 0, 1, 99, 3000, 6000, 20_000, 90_000]), min_size=1, max_size=20)


class TestReserve:
    @settings(max_examples=40)
    @given(policy=POLICIES, gaps=GAPS)
    def test_gives_the_references_slots_to_runs_that_come_over_time(
        self, server: AwsServer, policy: Throttle, gaps: list[int]
    ) -> None:
        callers = Callers(server, shared_table(server))
        nows = [NOW + sum(gaps[: number + 1]) for number in range(len(gaps))]

        slots = callers.ask_all(uuid4().hex, policy, nows)

        assert slots == [int(slot) for slot in reference(policy, nows)]

    @settings(max_examples=30)
    @given(policy=POLICIES, shifts=st.lists(st.integers(-20_000, 20_000), min_size=2, max_size=20), window=st.data())
    def test_keeps_its_bound_in_any_window_whatever_the_callers_clocks_show(
        self, server: AwsServer, policy: Throttle, shifts: list[int], window: st.DataObject
    ) -> None:
        callers = Callers(server, shared_table(server))

        slots = callers.ask_all(uuid4().hex, policy, [NOW + shift for shift in shifts])

        length = window.draw(st.integers(1, max(slots) - min(slots) + 1))
        assert len(slots) == len(shifts)
        assert most_in(length, slots) <= length * policy.limit // milliseconds(policy) + policy.rate.capacity

    @pytest.mark.parametrize("policy", [TEN_A_MINUTE, Throttle(7, "1m", burst=4), Throttle(1, "1s")])
    def test_gives_the_references_slots_to_runs_that_come_at_once(
        self, callers: Callers, calls: list[str], policy: Throttle
    ) -> None:
        slots = callers.ask_at_once("key", policy, 150)

        assert sorted(slot for slot in slots if slot) == [int(slot) for slot in reference(policy, [NOW] * 150)]
        assert set(calls) == {"UpdateItem"}
        assert 150 < len(calls) <= 150 + 2 * THREADS  # who finds the key idle, or sees it become busy, asks again

    def test_raises_slots_in_the_order_of_admission(self, callers: Callers) -> None:
        slots = callers.ask_all("key", TEN_A_MINUTE, [NOW] * 30)

        assert slots == sorted(slots)
        assert slots[9:12] == [NOW, NOW + 6000, NOW + 12_000]

    def test_may_start_twice_the_limit_in_the_minute_after_an_idle_one(self, callers: Callers) -> None:
        slots = callers.ask_all("key", TEN_A_MINUTE, [NOW] * 30)

        assert most_in(60_000, slots) == 19  # the twentieth, at exactly one minute, is the next window's first
        assert most_in(60_001, slots) == 20

    def test_starts_at_once_again_after_an_idle_time(self, callers: Callers) -> None:
        callers.ask_all("key", TEN_A_MINUTE, [NOW] * 10)

        assert callers.ask_all("key", TEN_A_MINUTE, [NOW + 60_000] * 10) == [NOW + 60_000] * 10

    def test_counts_each_key_by_itself(self, callers: Callers) -> None:
        one_a_minute = Throttle(1, "1m")

        assert callers.ask("ada", one_a_minute, NOW) == callers.ask("grace", one_a_minute, NOW) == NOW
        assert callers.ask("ada", one_a_minute, NOW) == NOW + 60_000

    def test_keeps_its_pace_through_a_million_waiting_runs(self, callers: Callers) -> None:
        policy, earlier = Throttle(7, "1s"), 1_000_000
        callers.ask("key", policy, NOW)
        advance(callers, "key", earlier * policy.rate.interval_ns)

        slot = callers.ask("key", policy, NOW)

        exact = NOW + Fraction(1000, 7) * (earlier + 1 - 6)
        assert slot is not None
        assert exact - 1 < slot <= exact + 1  # a nanosecond a run is one ms of two days

    def test_follows_a_changed_policy_from_where_the_key_stands(self, callers: Callers) -> None:
        callers.ask_all("key", Throttle(1, "10s"), [NOW] * 5)

        slots = callers.ask_all("key", Throttle(1, "1s"), [NOW] * 2)

        assert slots == [NOW + 50_000, NOW + 51_000]


class TestHorizon:
    def test_gives_nothing_to_a_run_that_would_start_too_late(self, callers: Callers) -> None:
        slots = [callers.ask("key", TEN_A_MINUTE, NOW, horizon=300_000) for _ in range(100)]

        assert [slot for slot in slots if slot is not None] == [int(x) for x in reference(TEN_A_MINUTE, [NOW] * 60)]
        assert slots[59] == NOW + 300_000
        assert slots[60:] == [None] * 40

    def test_takes_nothing_for_a_run_that_would_start_too_late(self, callers: Callers) -> None:
        for _ in range(100):
            callers.ask("key", TEN_A_MINUTE, NOW, horizon=300_000)

        assert callers.ask("key", TEN_A_MINUTE, NOW + 60_000, horizon=300_000) == NOW + 306_000

    def test_holds_for_runs_that_come_at_once(self, callers: Callers) -> None:
        slots = callers.ask_at_once("key", TEN_A_MINUTE, 150, horizon=300_000)

        assert sum(slot is not None for slot in slots) == 60
        assert tat(callers, "key") == (NOW + 60 * 6000) * 10**6

    def test_that_is_over_asks_nobody(self, callers: Callers, calls: list[str]) -> None:
        assert callers.ask("key", TEN_A_MINUTE, NOW, horizon=-1) is None
        assert calls == []

    def test_is_ninety_days_at_most(self, callers: Callers) -> None:
        one_a_month = Throttle(1, "30d")

        slots = [
            callers.ask("key", one_a_month, NOW, horizon=horizon) for horizon in (None, None, None, 400 * DAY, None)
        ]

        assert slots == [NOW, NOW + 30 * DAY, NOW + 60 * DAY, NOW + LONGEST_WAIT, None]


class TestAdmits:
    def test_exactly_its_limit_of_many_at_one_instant(self, callers: Callers) -> None:
        policy = RateLimit(100, "1h")

        with ThreadPoolExecutor(THREADS) as pool:
            admitted = list(
                pool.map(lambda run: callers.slots.admits(policy, "key", run=str(run), now=NOW), range(320))
            )

        assert sum(admitted) == 100

    def test_one_more_each_interval(self, callers: Callers) -> None:
        policy = RateLimit(2, "1m")

        admitted = [
            callers.slots.admits(policy, "key", run=str(number), now=NOW + ms)
            for number, ms in enumerate((0, 0, 1, 29_999, 30_000, 30_001))
        ]

        assert admitted == [True, True, False, False, True, False]

    def test_forgets_no_long_period(self, callers: Callers) -> None:
        policy = RateLimit(1, "365d")
        callers.slots.admits(policy, "key", run="first", now=NOW)

        assert int(callers.item("key")["expires"]["N"]) * 1000 > NOW + 365 * DAY
        assert not callers.slots.admits(policy, "key", run="second", now=NOW + 364 * DAY)


@settings(max_examples=20)
@given(policy=POLICIES, gaps=GAPS, horizon=st.none() | st.integers(0, 10**6))
def test_an_item_outlives_what_it_knows(
    server: AwsServer, policy: Throttle, gaps: list[int], horizon: int | None
) -> None:
    callers, key = Callers(server, shared_table(server)), uuid4().hex

    for number in range(len(gaps)):
        callers.ask(key, policy, NOW + sum(gaps[:number]), horizon=horizon)

        assert int(callers.item(key)["expires"]["N"]) * 10**9 > tat(callers, key) + (DAY - 1000) * 10**6


class TestCallers:
    def test_make_one_call_where_starts_come_too_fast_and_two_where_not(
        self, callers: Callers, calls: list[str]
    ) -> None:
        callers.ask("key", TEN_A_MINUTE, NOW)
        assert calls == ["UpdateItem"] * 2

        callers.ask("key", TEN_A_MINUTE, NOW)
        assert calls == ["UpdateItem"] * 3

    def test_make_three_calls_when_the_key_is_taken_meanwhile(
        self, callers: Callers, calls: list[str], meanwhile: Callable[[int, Callable[[], object]], None]
    ) -> None:
        others: list[int | None] = []
        meanwhile(2, lambda: others.append(callers.ask("key", Throttle(1, "1m"), NOW)))

        slot = callers.ask("key", Throttle(1, "1m"), NOW)

        assert (others, slot) == ([NOW], NOW + 60_000)
        assert len(calls) == 3 + 2

    def test_hear_of_an_item_that_somebody_deletes_meanwhile(
        self, callers: Callers, meanwhile: Callable[[int, Callable[[], object]], None]
    ) -> None:
        meanwhile(2, lambda: callers.ask("key", TEN_A_MINUTE, NOW))
        meanwhile(5, lambda: callers.client.delete_item(TableName=callers.table, Key={"pk": {"S": "key"}}))

        with pytest.raises(RuntimeError, match="deleted"):
            callers.ask("key", TEN_A_MINUTE, NOW)

    def test_whose_clock_is_behind_wait_as_if_it_were_not_or_start_earlier_by_as_much(self, callers: Callers) -> None:
        callers.ask("key", Throttle(1, "10s"), NOW)

        behind = callers.ask("key", Throttle(1, "10s"), NOW - 5000)

        assert behind == NOW + 10_000
        assert callers.ask_all("another", TEN_A_MINUTE, [NOW, NOW - 5000]) == [NOW, NOW - 5000]

    def test_whose_clock_is_ahead_make_others_wait_as_long(self, callers: Callers) -> None:
        callers.ask("key", Throttle(1, "10s"), NOW + 5000)

        assert callers.ask("key", Throttle(1, "10s"), NOW) == NOW + 15_000


class TestLostAnswers:
    def test_cost_nothing_on_an_idle_key(self, callers: Callers, lose_answer: Callable[..., None]) -> None:
        only = RateLimit(1, "1h")
        lose_answer(lambda: None)

        assert callers.slots.admits(only, "key", run="first", now=NOW)
        assert not callers.slots.admits(only, "key", run="second", now=NOW)

    def test_cost_nothing_on_a_busy_key(self, callers: Callers, lose_answer: Callable[..., None]) -> None:
        callers.ask_all("key", TEN_A_MINUTE, [NOW] * 12)
        lose_answer(lambda: None)

        assert callers.ask_all("key", TEN_A_MINUTE, [NOW] * 2) == [NOW + 18_000, NOW + 24_000]

    def test_leave_a_slot_unused_where_another_run_was_admitted_before_the_repetition(
        self, callers: Callers, lose_answer: Callable[..., None]
    ) -> None:
        slots = callers.ask_all("key", TEN_A_MINUTE, [NOW] * 12)
        lose_answer(lambda: slots.extend(callers.ask_all("key", TEN_A_MINUTE, [NOW])))

        slots += callers.ask_all("key", TEN_A_MINUTE, [NOW])

        assert slots[12:] == [NOW + 24_000, NOW + 30_000]

    def test_of_a_worker_that_died_are_found_by_the_next(self, callers: Callers) -> None:
        callers.ask_all("key", TEN_A_MINUTE, [NOW] * 12)
        slot = callers.ask("key", TEN_A_MINUTE, NOW, run="mine")

        assert callers.ask("key", TEN_A_MINUTE, NOW + 10_000, run="mine") == slot == NOW + 18_000

    def test_are_not_looked_for_once_the_key_is_idle(self, callers: Callers) -> None:
        callers.ask("key", Throttle(1, "10s"), NOW, run="mine")

        assert callers.ask("key", Throttle(1, "10s"), NOW + 10_000, run="mine") == NOW + 10_000
        assert callers.ask("key", Throttle(1, "10s"), NOW + 10_000) == NOW + 20_000


def shared_table(server: AwsServer) -> str:
    """One table for all examples of a property; each example has a key of its own."""
    client = server.client("dynamodb")
    if "flow-properties" not in client.list_tables()["TableNames"]:
        client.create_table(
            TableName="flow-properties",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    return "flow-properties"


def milliseconds(policy: Throttle) -> int:
    return policy.period // timedelta(milliseconds=1)


def tat(callers: Callers, key: str) -> int:
    return int(callers.item(key)["tat"]["N"])


def advance(callers: Callers, key: str, nanoseconds: int) -> None:
    """Have the key stand as if so much had been asked for."""
    callers.client.update_item(
        TableName=callers.table,
        Key={"pk": {"S": key}},
        UpdateExpression="ADD tat :more",
        ExpressionAttributeValues={":more": {"N": str(nanoseconds)}},
    )
