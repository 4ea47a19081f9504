from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from shared.engine import executions
from shared.engine.errors import InvalidMessageError
from shared.engine.executions import read_status_change
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import Row
from tests.stack import Stack

RUN = RunId.of("demo", "event-1")


def status_change(**overrides: Any) -> str:
    detail = {
        "executionArn": f"arn:aws:states:us-east-1:123456789012:execution:test_demo:{RUN}",
        "stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:test_demo",
        "name": str(RUN),
        "status": "SUCCEEDED",
        "startDate": 1_772_341_200_000,
        "stopDate": 1_772_341_260_500,
        "input": "{}",
        "output": '{"sent": 3}',
        "error": None,
        "cause": None,
    } | overrides
    return json.dumps(
        {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}
    )


def record_end(body: str) -> bool:
    return executions.record_end(read_status_change(body))


@pytest.fixture
def running(stack: Stack) -> Stack:
    boto3.client("sqs").create_queue(QueueName="test_demo")
    ledger().create(Row(RUN, "demo", "running", "event-1", "demo/greeted", "2026-03-01T05:00:00.000Z", "{}"))
    return stack


def test_completes_the_run_with_the_executions_output_and_time(running: Stack) -> None:
    record_end(status_change())

    row = running.row("demo")
    assert (row.status, row.output, row.ended_at) == ("completed", {"sent": 3}, "2026-03-01T05:01:00.500Z")


def test_completes_a_run_whose_start_was_not_noted_yet(stack: Stack) -> None:
    ledger().create(Row(RUN, "demo", "accepted", "event-1", "demo/greeted", "2026-03-01T05:00:00.000Z", "{}"))

    record_end(status_change())
    started = ledger().start(RUN)

    row = stack.row("demo")
    assert started is False
    assert (row.status, row.attempts, row.started_at) == ("completed", 1, "2026-03-01T05:00:00.000Z")


def test_shows_when_an_execution_started_and_not_when_that_was_noted(running: Stack) -> None:
    ledger().start(RUN)

    record_end(status_change(status="FAILED", output=None))

    assert running.row("demo").started_at == "2026-03-01T05:00:00.000Z"


@pytest.mark.parametrize(
    ("status", "given", "ledger_status", "error"),
    [
        ("FAILED", {"error": "ValueError", "cause": "no"}, "failed", {"type": "ValueError", "message": "no"}),
        (
            "FAILED",
            {"error": "ValueError", "cause": '{"errorMessage": "no", "errorType": "ValueError"}'},
            "failed",
            {"type": "ValueError", "message": "no"},
        ),
        (
            "FAILED",
            {},
            "failed",
            {"type": "ExecutionFailed", "message": "the execution failed without a cause"},
        ),
        (
            "TIMED_OUT",
            {},
            "failed",
            {"type": "States.Timeout", "message": "the execution was not over by its time limit"},
        ),
        ("ABORTED", {"cause": "by Ada"}, "cancelled", {"type": "ExecutionAborted", "message": "by Ada"}),
    ],
)
def test_ends_the_run_with_the_reason(
    running: Stack, status: str, given: dict[str, str], ledger_status: str, error: dict[str, str]
) -> None:
    record_end(status_change(status=status, output=None, **given))

    row = running.row("demo")
    assert (row.status, row.error, row.failure) == (ledger_status, error, "pending")


def test_changes_nothing_when_told_twice(running: Stack) -> None:
    record_end(status_change())
    record_end(status_change(status="FAILED", output=None, error="late"))

    assert running.row("demo").status == "completed"


def test_leaves_executions_alone_that_are_no_runs(running: Stack) -> None:
    record_end(status_change(name="by-hand"))
    record_end(status_change(name=str(RunId.of("demo", "unknown"))))

    assert running.row("demo").status == "running"
    assert ledger().get(RunId.of("demo", "unknown")) is None


@pytest.mark.parametrize("body", ["", "{}", '{"detail": {}}', status_change(status="RUNNING")])
def test_refuses_what_is_no_end(running: Stack, body: str) -> None:
    with pytest.raises(InvalidMessageError):
        record_end(body)
