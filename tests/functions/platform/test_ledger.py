from __future__ import annotations

from functions.platform.ledger import handler
from shared.engine.identity import RunId
from shared.engine.ledger import Row, ledger
from tests.factories import Context
from tests.shared.engine.test_executions import RUN, status_change
from tests.stack import Stack


def test_writes_the_end_of_an_execution_into_the_ledger(stack: Stack) -> None:
    ledger().create(Row(RUN, "demo", "running", "event-1", "demo/greeted", "2026-03-01T05:00:00.000Z", "{}"))

    answer = handler(stack.message(status_change()), Context())

    assert answer == {"batchItemFailures": []}
    assert stack.row("demo").status == "completed"


def test_puts_what_it_cannot_read_aside_and_goes_on(stack: Stack) -> None:
    ledger().create(Row(RUN, "demo", "running", "event-1", "demo/greeted", "2026-03-01T05:00:00.000Z", "{}"))
    batch = stack.message("garbage", message_id="1")["Records"] + stack.message(status_change())["Records"]

    answer = handler({"Records": batch}, Context())

    assert answer == {"batchItemFailures": []}
    [dead] = stack.dead_letters()
    assert dead["Body"] == "garbage"
    assert stack.row("demo").status == "completed"


def test_leaves_executions_of_unknown_runs_alone(stack: Stack) -> None:
    answer = handler(stack.message(status_change(name=str(RunId.of("demo", "x")))), Context())

    assert answer == {"batchItemFailures": []}
    assert ledger().get(RunId.of("demo", "x")) is None
