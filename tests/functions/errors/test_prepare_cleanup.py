from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from functions.errors.prepare_cleanup import handler
from shared.settings import forget_environment
from tests.factories import Context, envelope
from tests.stack import Stack

PARAMETER = "/test/errors/retention-days"
FIRED = envelope(
    **{"detail-type": "nightshift/schedule.fired"},
    time="2026-03-01T04:00:00Z",
    data={"schedule": "errors-prepare-cleanup", "scheduled_at": "2026-03-01T04:00:00Z"},
)


@pytest.fixture(autouse=True)
def bus(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("ERROR_RETENTION_PARAMETER", PARAMETER)
    forget_environment()
    events = boto3.client("events")
    events.put_rule(Name="all", EventBusName="test", EventPattern=json.dumps({"source": [{"prefix": ""}]}))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{stack.inbox_url.rsplit('/', 1)[1]}"
    events.put_targets(Rule="all", EventBusName="test", Targets=[{"Id": "inbox", "Arn": arn}])
    return stack


def configure(value: str) -> None:
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=value, Type="String", Overwrite=True)


def prepared(stack: Stack) -> list[dict[str, Any]]:
    assert handler(stack.message(FIRED), Context()) == {"batchItemFailures": []}
    return stack.inbox()


def test_asks_for_ninety_days_where_nothing_is_configured(stack: Stack) -> None:
    [event] = prepared(stack)

    assert event["detail-type"] == "errors/cleanup.old.errors"
    assert event["detail"]["data"] == {"retention_days": 90}
    assert event["time"].startswith("2026-03-01T04:00:00")


def test_asks_for_what_is_configured_by_now_without_a_new_deployment(stack: Stack) -> None:
    configure("30")
    [first] = prepared(stack)
    configure("7")
    [second] = [
        each
        for each in (handler(stack.message(FIRED.replace("event-1", "event-2")), Context()), stack.inbox())[1]
        if each["detail"]["data"] != first["detail"]["data"]
    ]

    assert first["detail"]["data"] == {"retention_days": 30}
    assert second["detail"]["data"] == {"retention_days": 7}


@pytest.mark.parametrize(("value", "sent"), [("0", 0), ("400", 400), ("ninety", "ninety"), ("-5", "-5"), (" 60 ", 60)])
def test_passes_the_value_on_as_it_reads_it(stack: Stack, value: str, sent: object) -> None:
    configure(value)

    [event] = prepared(stack)

    assert event["detail"]["data"] == {"retention_days": sent}


def test_sends_one_event_however_often_it_is_delivered(stack: Stack) -> None:
    first = prepared(stack)
    second = prepared(stack)

    assert (len(first), len(second)) == (1, 0)


def test_records_what_it_asked_for(stack: Stack) -> None:
    prepared(stack)

    assert stack.row("errors-prepare-cleanup").output == {"retention_days": 90}
