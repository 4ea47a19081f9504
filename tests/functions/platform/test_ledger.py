from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from functions.platform.ledger import handler
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import Row
from tests.factories import Context, envelope
from tests.reconciling import Deployed
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


def test_records_an_event_of_the_bus(deployed: Deployed) -> None:
    answer = handler(deployed.stack.message(envelope()), Context())

    assert answer == {"batchItemFailures": []}
    assert len(deployed.open_items()) == 1
    assert deployed.stack.dead_letters() == []


def test_an_event_delivered_twice_is_one(deployed: Deployed) -> None:
    for _ in range(2):
        assert handler(deployed.stack.message(envelope()), Context()) == {"batchItemFailures": []}

    assert len(deployed.open_items()) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        {"detail": {}},
        {"detail": {"data": [1]}},
        {"detail": "text"},
        {"detail": None},
        {"metadata": {"id": "x" * 5_000}},
        {"metadata": {"id": 7}},
        {"metadata": {"generation": -1}},
        {"data": {"deep": json.loads("[" * 500 + "]" * 500)}},
        {"metadata": {"note": "x" * 250_000}},
        {"detail-type": ""},
        {"time": "yesterday"},
        {"source": ""},
    ],
    ids=lambda overrides: str(overrides)[:40],
)
def test_what_an_application_of_another_form_sends_is_no_dead_letter_of_ours(
    deployed: Deployed, overrides: dict[str, Any]
) -> None:
    batch = deployed.stack.message(envelope(**overrides), message_id="1")["Records"]
    batch += deployed.stack.message(envelope(metadata={"id": "good"}))["Records"]

    answer = handler({"Records": batch}, Context())

    assert answer == {"batchItemFailures": []}
    assert deployed.stack.dead_letters() == []
    assert len(deployed.open_items()) == 1


@pytest.mark.parametrize("body", ["garbage", "null", "[]", '"source"', "{}", '{"source": "aws.states"}', "[" * 100_000])
def test_garbage_is_put_aside(deployed: Deployed, body: str) -> None:
    answer = handler(deployed.stack.message(body), Context())

    assert answer == {"batchItemFailures": []}
    assert len(deployed.stack.dead_letters()) == 1
    assert deployed.open_items() == {}


def test_an_event_cannot_pass_for_an_executions_end(deployed: Deployed) -> None:
    run = deployed.put("running")
    forged = json.loads(status_change(name=str(run))) | {"source": "my.app", "time": "2026-03-01T05:00:00Z", "id": "1"}

    handler(deployed.stack.message(json.dumps(forged)), Context())

    assert deployed.stack.row("demo-greet").status == "running"


def test_an_outage_of_the_table_keeps_the_message(deployed: Deployed) -> None:
    boto3.client("dynamodb").delete_table(TableName="test_ledger")

    answer = handler(deployed.stack.message(envelope()), Context())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
