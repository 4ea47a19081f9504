from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from shared.engine.policies import Rate, RateLimit, Throttle, Timeouts, check_key
from shared.events.event import Event


class Client(BaseModel):
    id: int | None = None
    day: date | None = None


class Executed(Event):
    event_name: ClassVar[str] = "demo/executed"

    user_id: str | None = Field(default=None, alias="userId")
    client: Annotated[Client | None, Field(description="whose")] = None
    clients: tuple[Client, ...] = ()
    number: UUID | None = None
    anything: Any = None


class TestThrottle:
    def test_spreads_its_limit_over_its_period_and_starts_limit_and_burst_at_once(self) -> None:
        assert Throttle(10, "1m").rate == Rate(interval_ns=6_000_000_000, capacity=10)
        assert Throttle(10, "1m", burst=5).rate == Rate(interval_ns=6_000_000_000, capacity=15)

    def test_rounds_its_interval_up_so_that_it_never_allows_more(self) -> None:
        assert Throttle(7, "1m").rate.interval_ns == 8_571_428_572

    @given(st.integers(1, 10**7), st.integers(1, 10**12))
    def test_its_interval_is_period_by_limit_and_less_than_a_nanosecond_more(self, limit: int, period: int) -> None:
        interval = Throttle(limit, timedelta(milliseconds=period)).rate.interval_ns

        assert period * 10**6 <= interval * limit < period * 10**6 + limit

    def test_reads_its_period_as_text_or_timedelta(self) -> None:
        assert Throttle(10, "1m", key="user_id") == Throttle(limit=10, period=timedelta(seconds=60), key="user_id")

    def test_does_not_change(self) -> None:
        with pytest.raises(FrozenInstanceError):
            Throttle(10, "1m").limit = 20  # type: ignore[misc]

    @pytest.mark.parametrize("limit", [0, -1, 1.5, True, "10", None])
    def test_refuses_a_limit_that_is_no_number_of_starts(self, limit: Any) -> None:
        with pytest.raises(ValueError, match="limit is a whole number of at least 1"):
            Throttle(limit, "1m")

    @pytest.mark.parametrize("burst", [-1, 0.5, None])
    def test_refuses_a_burst_that_is_none(self, burst: Any) -> None:
        with pytest.raises(ValueError, match="burst is a whole number of at least 0"):
            Throttle(10, "1m", burst=burst)

    @pytest.mark.parametrize("period", ["", "0s", "a while", 60, timedelta(0)])
    def test_refuses_a_period_that_is_no_duration(self, period: Any) -> None:
        with pytest.raises(ValueError, match="duration"):
            Throttle(10, period)

    @pytest.mark.parametrize("key", ["", "user id", "user-id", ".", "user.", "a..b", "1st", "naïve", "x" * 201, 5])
    def test_refuses_a_key_that_is_no_fields_name(self, key: Any) -> None:
        with pytest.raises(ValueError, match="key is a field's name"):
            Throttle(10, "1m", key=key)


class TestRateLimit:
    def test_starts_its_limit_at_once(self) -> None:
        assert RateLimit(100, "1h").rate == Rate(interval_ns=36_000_000_000, capacity=100)

    def test_counts_apart_from_a_throttle_with_the_same_numbers(self) -> None:
        event = Executed(user_id="ada")
        throttle, limit = Throttle(10, "1m", "user_id"), RateLimit(10, "1m", "user_id")

        assert throttle.item_key("skill-execute", event) == 'throttle#skill-execute#user_id="ada"'
        assert limit.item_key("skill-execute", event) == 'ratelimit#skill-execute#user_id="ada"'
        assert len({limit, throttle}) == 2


class TestTimeouts:
    def test_reads_durations(self) -> None:
        assert Timeouts(start="5m") == Timeouts(start=timedelta(minutes=5), finish=None)
        assert Timeouts(finish="10m").finish == timedelta(minutes=10)

    def test_refuses_to_say_nothing(self) -> None:
        with pytest.raises(ValueError, match="start, finish or both"):
            Timeouts()

    @pytest.mark.parametrize("values", [{"start": "0s"}, {"finish": "soon"}, {"start": "5m", "finish": -1}])
    def test_refuses_what_is_no_duration(self, values: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="duration"):
            Timeouts(**values)


class TestKeys:
    def test_are_the_same_for_all_events_without_one(self) -> None:
        assert Throttle(1, "1s").item_key("f", Executed(user_id="ada")) == "throttle#f"
        assert Throttle(1, "1s").key_of(Executed(user_id="ada")) == ""

    def test_follow_a_dotted_path_until_there_is_nothing(self) -> None:
        policy = Throttle(1, "1s", key="client.id")

        assert policy.key_of(Executed(client=Client(id=7))) == "7"
        assert policy.key_of(Executed(client=Client())) == "null"
        assert policy.key_of(Executed()) == "null"

    def test_of_values_that_json_does_not_know_are_their_text(self) -> None:
        event = Executed(client=Client(day=date(2026, 3, 1)), number=UUID(int=5))

        assert Throttle(1, "1s", key="client.day").key_of(event) == '"2026-03-01"'
        assert Throttle(1, "1s", key="number").key_of(event) == '"00000000-0000-0000-0000-000000000005"'

    def test_of_whole_models_are_their_json(self) -> None:
        assert Throttle(1, "1s", key="client").key_of(Executed(client=Client(id=7))) == '{"day":null,"id":7}'

    @given(st.text(max_size=2000), st.text(max_size=2000))
    def test_differ_exactly_when_the_values_do_and_fit_into_dynamodb(self, one: str, other: str) -> None:
        policy = Throttle(1, "1s", key="user_id")

        keys = {policy.item_key("f" * 64, Executed(user_id=value)) for value in (one, other, None)}

        assert len(keys) == len({one, other, None})
        assert all(len(key.encode()) <= 1000 for key in keys)

    def test_of_long_values_differ_at_their_end(self) -> None:
        policy = Throttle(1, "1s", key="user_id")

        keys = {policy.key_of(Executed(user_id="é" * 100_000 + end)) for end in "ab"}

        assert len(keys) == 2
        assert all(key.startswith("sha256:") for key in keys)

    @given(st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()))
    def test_are_never_taken_for_a_hash(self, value: object) -> None:
        assert not Throttle(1, "1s", key="anything").key_of(Executed(anything=value)).startswith("s")


class TestCheckKey:
    @pytest.mark.parametrize("key", [None, "user_id", "client", "client.id", "anything"])
    def test_accepts_fields_of_the_event(self, key: str | None) -> None:
        check_key(key, Executed)

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            ("userId", "Executed has no field 'userId'; it has anything, client, clients, number, user_id"),
            ("client.name", "Client has no field 'name'; it has day, id"),
            ("clients.id", "Executed has nothing with a field 'id' there"),
            ("user_id.length", "nothing with a field 'length' there"),
            ("client.id.x", "nothing with a field 'x' there"),
            ("event_name", "no field 'event_name'"),
        ],
    )
    def test_refuses_others_and_says_what_there_is(self, key: str, reason: str) -> None:
        with pytest.raises(ValueError, match=reason):
            check_key(key, Executed)

    def test_refuses_any_key_of_an_event_without_fields(self) -> None:
        with pytest.raises(ValueError, match="it has none"):
            check_key("id", BaseModel)
