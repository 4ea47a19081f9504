from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import BaseModel

from shared import clock
from shared.engine import NonRetryableError, Run
from shared.engine.effect_records import EffectRecords, effect_records
from shared.engine.effects import (
    EffectInProgressError,
    EffectUnknownError,
    OncePolicy,
    effect_key,
    once,
)
from tests.effects import LIMIT, DiedError, Effect, item_of, on_request, run_of, status_of
from tests.stack import START, Stack

both = pytest.mark.parametrize("policy", ["repeat", "stop"])
Capture = pytest.CaptureFixture[str]


def begun_and_dead(policy: OncePolicy) -> None:
    """A worker died in the middle of its effect."""
    with pytest.raises(DiedError):
        Effect(DiedError()).once(policy)


def counted(capsys: Capture) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"EffectsUnknown"' in line]
    return [document for document in documents if "_aws" in document]


class TestDone:
    @both
    def test_is_not_done_again(self, stack: Stack, policy: OncePolicy) -> None:
        effect = Effect("first", "second")

        assert [effect.once(policy) for _ in range(3)] == ["first"] * 3
        assert effect.done == 1

    @both
    def test_gives_every_attempt_the_same_result(self, stack: Stack, policy: OncePolicy) -> None:
        results: list[Any] = [None, 0, False, "", [], {}, 1.5, "é\n", {"b": [1, None], "a": {"c": ""}}]

        for number, result in enumerate(results):
            effect = Effect(result, "another")
            assert [effect.once(policy, str(number)) for _ in range(2)] == [result, result]

    def test_gives_a_model_as_json_types(self, stack: Stack) -> None:
        class Sent(BaseModel):
            at: timedelta
            to: tuple[str, ...]

        effect = Effect(Sent(at=timedelta(seconds=2), to=("ada",)))

        assert effect.once("stop") == effect.once("stop") == {"at": "PT2S", "to": ["ada"]}

    def test_gives_a_large_result_by_reference(self, stack: Stack) -> None:
        effect = Effect("x" * 500_000)  # an item of the table takes 400 kB

        assert effect.once("stop") == effect.once("stop") == "x" * 500_000
        assert (effect.done, len(stack.payloads())) == (1, 1)

    @both
    def test_is_kept_for_thirty_days(self, stack: Stack, policy: OncePolicy) -> None:
        effect = Effect("first", "second")
        effect.once(policy)

        stack.advance(days=29, hours=23)
        assert effect.once(policy) == "first"
        stack.advance(hours=2)  # the item is still there: DynamoDB removes it when it comes to it
        assert effect.once(policy) == "second"

    def test_has_the_layout_of_powertools(self, stack: Stack) -> None:
        Effect({"id": 7}).once("repeat")

        found = item_of()
        assert found is not None
        assert found["id"] == {"S": f"{run_of().id}/send_mail/ada"}
        assert (found["status"], found["data"]) == ({"S": "COMPLETED"}, {"S": '{"id":7}'})
        assert int(found["expiration"]["N"]) == (START + timedelta(days=30)).timestamp()
        assert int(found["in_progress_expiration"]["N"]) == clock.milliseconds(START + LIMIT)

    def test_takes_two_calls_of_the_table(self, stack: Stack) -> None:
        effect = Effect()
        effect.once("stop")
        assert [name for name, _ in stack.calls] == ["PutItem", "UpdateItem"]

        stack.calls.clear()
        effect.once("stop")
        assert [name for name, _ in stack.calls] == ["PutItem"]


class TestKeys:
    def test_tell_runs_steps_and_items_apart(self, stack: Stack) -> None:
        asked = [
            (run_of(), "ada"),
            (run_of(), "bob"),
            (run_of(step="other"), "ada"),
            (run_of(step=None), "ada"),
            (run_of(generation=1), "ada"),  # a replay does its effects anew
            (run_of(generation=12), "ada"),
            (run_of(), ""),
            (run_of(), "x" * 600),
            (run_of(), "x" * 601),
            (run_of(), effect_key(run_of(), "x" * 600).rpartition("/")[2]),
        ]
        effect = Effect()

        for run, item in asked:
            effect.once("stop", item, run)

        assert effect.done == len(asked)

    def test_fit_into_dynamodb_however_long_the_item(self) -> None:
        assert len(effect_key(run_of(generation=999_999_999), "é" * 100_000).encode()) < 2_048


class TestInProgress:
    @both
    def test_another_attempt_waits_as_long_as_the_effect_may_take(self, stack: Stack, policy: OncePolicy) -> None:
        begun_and_dead(policy)
        stack.advance(seconds=19.5)
        second = Effect()

        with pytest.raises(EffectInProgressError) as waits:
            second.once(policy)

        assert (waits.value.seconds, second.done) == (0.5, 0)
        assert not isinstance(waits.value, NonRetryableError)

    def test_is_done_again_when_that_is_harmless(self, stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
        begun_and_dead("repeat")
        stack.advance(seconds=21)

        assert Effect("second").once("repeat") == "second"
        assert caplog.messages == ["effect is begun again: its last worker did not come back"]

    def test_is_not_done_again_when_that_is_not(self, stack: Stack, capsys: Capture) -> None:
        begun_and_dead("stop")
        stack.advance(seconds=21)
        second = Effect()

        for _ in range(2):
            with pytest.raises(EffectUnknownError, match=r"send_mail/ada: its worker's time is over"):
                second.once("stop")

        assert (second.done, status_of()) == (0, "UNKNOWN")
        documents = counted(capsys)
        assert [(document["function"], document["EffectsUnknown"]) for document in documents] == [
            ("demo-mail", [1.0]),
            ("demo-mail", [1.0]),
        ]

    def test_stays_unknown_whatever_the_policy_becomes(self, stack: Stack) -> None:
        begun_and_dead("stop")
        stack.advance(seconds=21)
        with pytest.raises(EffectUnknownError):
            Effect().once("stop")

        with pytest.raises(EffectUnknownError):
            Effect().once("repeat")


class TestLateWorker:
    """It is still at work when its time is over, and another comes."""

    def test_gets_the_result_of_the_one_that_replaced_it(self, stack: Stack) -> None:
        def late() -> str:
            stack.advance(seconds=21)
            assert Effect("replacement").once("repeat") == "replacement"
            return "late"

        assert Effect(late).once("repeat") == "replacement"
        assert Effect().once("repeat") == "replacement"

    def test_gives_its_result_to_the_one_that_replaced_it(self, stack: Stack) -> None:
        begun, replaced = Event(), Event()
        results: list[str] = []

        def late() -> str:
            begun.set()
            assert replaced.wait(10)
            return "late"

        def replacement() -> str:
            replaced.set()
            worker.join(10)
            return "replacement"

        worker = Thread(target=lambda: results.append(Effect(late).once("repeat")), daemon=True)
        worker.start()
        assert begun.wait(10)
        stack.advance(seconds=21)

        assert Effect(replacement).once("repeat") == "late"
        assert results == ["late"]
        assert Effect().once("repeat") == "late"

    def test_does_not_remove_the_record_of_the_one_that_replaced_it(self, stack: Stack) -> None:
        def late() -> str:
            stack.advance(seconds=21)
            Effect("replacement").once("repeat")
            raise ValueError("late")

        with pytest.raises(ValueError, match="late"):
            Effect(late).once("repeat")

        assert Effect().once("repeat") == "replacement"

    def test_says_at_last_that_what_was_unknown_is_done(self, stack: Stack) -> None:
        def late() -> str:
            stack.advance(seconds=21)
            with pytest.raises(EffectUnknownError):
                Effect().once("stop")
            return "late"

        assert Effect(late).once("stop") == "late"
        assert Effect().once("stop") == "late"

    def test_that_failed_after_all_leaves_what_was_told_as_unknown(self, stack: Stack) -> None:
        def late() -> str:
            stack.advance(seconds=21)
            with pytest.raises(EffectUnknownError):
                Effect().once("stop")
            raise ValueError("late")

        with pytest.raises(ValueError, match="late"):
            Effect(late).once("stop")

        assert status_of() == "UNKNOWN"


class TestWorkerThatComesBackInTheLastMoment:
    """It writes after the next attempt has read its record, and before that one marks it."""

    def meanwhile(self, write: Callable[[EffectRecords, str, str], object]) -> None:
        """Let the late worker write before the next update is sent."""
        found = item_of()
        assert found is not None
        key, holder = found["id"]["S"], found["holder"]["S"]
        writes = [write]

        def come_back() -> None:
            while writes:
                writes.pop()(effect_records(), key, holder)

        on_request("before UpdateItem", come_back)

    def test_and_has_done_it(self, stack: Stack) -> None:
        begun_and_dead("stop")
        stack.advance(seconds=21)
        self.meanwhile(lambda records, key, holder: records.complete(key, holder=holder, data='"late"'))
        second = Effect()

        assert (second.once("stop"), second.once("stop"), second.done) == ("late", "late", 0)

    def test_and_has_not_done_it(self, stack: Stack) -> None:
        begun_and_dead("stop")
        stack.advance(seconds=21)
        self.meanwhile(lambda records, key, holder: records.release(key, holder=holder))
        second = Effect()

        with pytest.raises(EffectInProgressError):
            second.once("stop")

        assert (second.once("stop"), second.done) == ("sent", 1)

    def test_and_has_not_done_it_but_another_has_begun(self, stack: Stack) -> None:
        def replaced(records: EffectRecords, key: str, holder: str) -> None:
            records.release(key, holder=holder)
            until = clock.now() + LIMIT
            assert records.claim(key, holder="another", now=clock.now(), until=until, take_over=False) is None

        begun_and_dead("stop")
        stack.advance(seconds=21)
        self.meanwhile(replaced)

        with pytest.raises(EffectInProgressError):
            Effect().once("stop")

        assert status_of() == "INPROGRESS"


def test_needs_a_time_limit() -> None:
    with pytest.raises(AssertionError):
        once(Run(run_of().id, "demo-mail", run_of().envelope), "ada", Effect(), policy="stop", limit=timedelta(0))
