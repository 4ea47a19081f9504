from __future__ import annotations

import socket
from http.client import RemoteDisconnected
from typing import Any, ClassVar

import pytest
import urllib3
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError

from shared import aws
from shared.engine import NonRetryableError
from shared.engine.effects import EffectUnknownError, OncePolicy, effect_key
from shared.engine.envelope import PAYLOAD_LIMIT
from shared.engine.errors import RetryAfter
from tests.effects import Effect, item_of, run_of, status_of
from tests.stack import Stack

both = pytest.mark.parametrize("policy", ["repeat", "stop"])


class TestFailure:
    @both
    @pytest.mark.parametrize("error", [ValueError("no"), RetryAfter(5), NonRetryableError("never")])
    def test_was_not_done_and_may_be_tried_again(self, stack: Stack, policy: OncePolicy, error: Exception) -> None:
        effect = Effect(error, "sent")

        with pytest.raises(type(error)) as raised:
            effect.once(policy)

        assert raised.value is error
        assert status_of() is None
        assert effect.once(policy) == "sent"

    @pytest.mark.parametrize(
        "error",
        [
            TimeoutError("read"),
            RemoteDisconnected("closed"),
            ReadTimeoutError(endpoint_url="http://mail"),
            ConnectionClosedError(endpoint_url="http://mail"),
            EffectUnknownError("the gateway said 504"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_that_leaves_it_open_is_not_tried_again(self, stack: Stack, error: Exception) -> None:
        effect = Effect(error, "sent")

        for _ in range(2):
            with pytest.raises(EffectUnknownError):
                effect.once("stop")

        assert (effect.done, status_of()) == (1, "UNKNOWN")

    def test_that_hides_a_lost_answer_is_open_too(self, stack: Stack) -> None:
        def sends() -> None:
            try:
                raise TimeoutError("read")
            except TimeoutError:
                raise ValueError("no mail")  # noqa: B904 (as authors forget to)

        with pytest.raises(EffectUnknownError, match="ValueError: no mail"):
            Effect(sends).once("stop")

    def test_that_leaves_it_open_is_tried_again_where_that_is_harmless(self, stack: Stack) -> None:
        effect = Effect(TimeoutError("read"), "sent")

        with pytest.raises(TimeoutError):
            effect.once("repeat")

        assert effect.once("repeat") == "sent"

    @pytest.mark.parametrize("error", [RetryAfter(5), NonRetryableError("refused")])
    def test_is_what_the_author_says_it_is(self, stack: Stack, error: Exception) -> None:
        def asks_first() -> None:
            try:
                raise TimeoutError("the check before the effect")
            except TimeoutError:
                raise error from None

        with pytest.raises(type(error)):
            Effect(asks_first).once("stop")

        assert status_of() is None

    def test_of_a_connection_that_was_never_made_was_not_done(self, stack: Stack) -> None:
        error = ConnectTimeoutError(endpoint_url="http://mail")
        error.__context__ = TimeoutError("timed out")

        with pytest.raises(ConnectTimeoutError):
            Effect(error).once("stop")

        assert status_of() is None

    def test_of_a_server_that_does_not_answer_is_open(self, stack: Stack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent, urllib3.PoolManager(retries=False) as http:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/send"

            with pytest.raises(EffectUnknownError, match="ReadTimeoutError"):
                Effect(lambda: http.request("POST", url, timeout=0.05)).once("stop")

    def test_of_a_server_that_is_not_there_was_not_done(self, stack: Stack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/send"

        with urllib3.PoolManager(retries=False) as http, pytest.raises(urllib3.exceptions.NewConnectionError):
            Effect(lambda: http.request("POST", url)).once("stop")


class TestResultThatCannotBeStored:
    @both
    def test_ends_the_run_and_is_not_done_again(self, stack: Stack, policy: OncePolicy) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        results = {"object": object(), "surrogate": "\ud800", "large": "x" * PAYLOAD_LIMIT, "deep": deep}

        for item, result in results.items():
            effect = Effect(result)

            for _ in range(2):
                with pytest.raises(EffectUnknownError, match="it was done, but its result cannot be stored"):
                    effect.once(policy, item)

            assert effect.done == 1


class TestPoisonedRecord:
    # Numbers hold numbers: moto 5.2.5 raises where it should find a text and a number unequal.
    garbage: ClassVar[list[dict[str, Any]]] = [
        {},
        {"status": {"S": "PERHAPS"}},
        {"status": {"N": "1"}, "expiration": {"N": "99999999999"}},
        {"status": {"S": "INPROGRESS"}},
        {"status": {"S": "INPROGRESS"}, "holder": {"S": "x"}},
        {"status": {"S": "INPROGRESS"}, "holder": {"N": "1"}, "in_progress_expiration": {"N": "99999999999999"}},
        {"status": {"S": "COMPLETED"}, "holder": {"S": "x"}, "data": {"S": "{"}},
        {"status": {"S": "COMPLETED"}, "holder": {"S": "x"}, "data": {"NULL": True}},
    ]

    @both
    def test_stops_the_effect(self, stack: Stack, policy: OncePolicy) -> None:
        for number, garbage in enumerate(self.garbage):
            item = {"id": {"S": effect_key(run_of(), str(number))}} | garbage
            aws.client("dynamodb").put_item(TableName="test_idempotency", Item=item)
            effect = Effect()

            with pytest.raises(EffectUnknownError, match="its record cannot be read"):
                effect.once(policy, str(number))

            assert (effect.done, item_of(str(number))) == (0, item)


class TestTableAway:
    @both
    def test_the_effect_is_not_done(self, stack: Stack, policy: OncePolicy) -> None:
        aws.client("dynamodb").delete_table(TableName="test_idempotency")
        effect = Effect()

        with pytest.raises(aws.client("dynamodb").exceptions.ResourceNotFoundException):
            effect.once(policy)

        assert effect.done == 0

    @both
    def test_an_effect_that_failed_meanwhile_tells_its_own_error(self, stack: Stack, policy: OncePolicy) -> None:
        def fails() -> None:
            aws.client("dynamodb").delete_table(TableName="test_idempotency")
            raise ValueError("no such mailbox")

        with pytest.raises(ValueError, match="no such mailbox"):
            Effect(fails).once(policy)

    def test_an_open_effect_is_still_told_as_unknown(self, stack: Stack) -> None:
        def fails() -> None:
            aws.client("dynamodb").delete_table(TableName="test_idempotency")
            raise TimeoutError("read")

        with pytest.raises(EffectUnknownError, match="TimeoutError: read"):
            Effect(fails).once("stop")
