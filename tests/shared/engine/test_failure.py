from __future__ import annotations

from dataclasses import replace

from shared.engine.failure import describe, tell_failure
from shared.engine.identity import RunId
from shared.engine.ledger import Row, ledger
from tests.factories import envelope
from tests.stack import Stack

ROW = Row(
    id=RunId.of("demo-greet", "event-1"),
    function="demo-greet",
    status="failed",
    event_id="event-1",
    event_name="demo/greeted",
    accepted_at="2026-03-01T05:00:00.000Z",
    event=envelope(),
    error={"type": "ValueError", "message": "no"},
    failure="pending",
)


def test_describes_an_error_by_its_class_and_its_message() -> None:
    class TooRudeError(ValueError):
        pass

    assert describe(TooRudeError("no")) == {"type": "TooRudeError", "message": "no"}
    assert describe(ValueError()) == {"type": "ValueError", "message": ""}


def test_cuts_a_message_that_the_ledger_should_not_hold() -> None:
    assert describe(ValueError("x" * 10_000))["message"] == "x" * 4_000


def test_notes_that_a_failure_was_told(stack: Stack) -> None:
    ledger().create(ROW)

    tell_failure(ROW, envelope())

    assert stack.row("demo-greet").failure == "handled"
    assert [dead["Body"] for dead in stack.dead_letters()] == [envelope()]


def test_tells_an_error_without_words_too(stack: Stack) -> None:
    for row in (replace(ROW, error={"type": "ValueError", "message": ""}), replace(ROW, error=None)):
        tell_failure(row, envelope())

    reasons = [dead["MessageAttributes"] for dead in stack.dead_letters()]
    assert [reason["ErrorType"]["StringValue"] for reason in reasons] == ["ValueError", "UnknownError"]
    assert {reason["ErrorMessage"]["StringValue"] for reason in reasons} == {"-"}
