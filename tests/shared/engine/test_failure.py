from __future__ import annotations

import pytest

from shared.engine.envelope import canonical_json
from shared.engine.failure import Failure, describe, error_of
from shared.engine.identity import RunId
from shared.engine.row import Row
from shared.engine.run import Run
from tests.factories import envelope

ROW = Row(
    id=RunId.of("demo-greet", "event-1"),
    function="demo-greet",
    status="failed",
    event_id="event-1",
    event_name="demo/greeted",
    accepted_at="2026-03-01T05:00:00.000Z",
    event=envelope(),
    failure="pending",
)


def test_describes_an_error_by_its_class_and_its_message() -> None:
    class TooRudeError(ValueError):
        pass

    assert describe(TooRudeError("no")) == {"type": "TooRudeError", "message": "no"}
    assert describe(ValueError(), attempt=2) == {"type": "ValueError", "message": "", "attempt": 2}


def test_cuts_a_message_that_the_ledger_should_not_hold() -> None:
    assert describe(ValueError("x" * 10_000))["message"] == "x" * 4_000


@pytest.mark.parametrize("filling", ["€", '"', "\n", "\x01", "😀", "\ud800"])
def test_cuts_a_message_to_what_it_takes_as_json(filling: str) -> None:
    message = describe(ValueError("a" + filling * 4_000))["message"]

    assert message.startswith("a")
    assert 3_900 < len(canonical_json(message).encode()) <= 4_002


def test_describes_an_error_whose_message_is_no_unicode() -> None:
    assert describe(ValueError("\ud800"))["message"] == "?"


def test_knows_a_failure_of_which_the_row_says_nothing() -> None:
    failure = Failure.of(ROW, Run(ROW.id, ROW.function, ROW.envelope))

    assert error_of(ROW) == {"type": "UnknownError", "message": ""}
    assert (failure.status, failure.type, failure.step, failure.attempt) == ("failed", "UnknownError", None, None)
