from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from functions.alerts.prepare_cleanup import PAGE, handler, send_page
from shared.database.tables import organization
from shared.engine import Run
from shared.engine.envelope import Envelope
from shared.engine.identity import RunId
from shared.settings import forget_environment
from tests.database import add
from tests.factories import Context, envelope
from tests.stack import Stack

ENOUGH = 120


def fired() -> dict[str, Any]:
    time = "2026-03-01T05:00:00Z"
    body: dict[str, Any] = json.loads(
        envelope(
            **{"detail-type": "nightshift/schedule.fired"},
            time=time,
            data={"schedule": "alerts-prepare-cleanup", "scheduled_at": time},
        )
    )
    return body


def run(*, seconds_left: int = ENOUGH, generation: int = 0) -> Run:
    event = Envelope.model_validate(fired())
    return Run(
        RunId.of("alerts-prepare-cleanup", "event-1", generation),
        "alerts-prepare-cleanup",
        event,
        step="send_page",
        context=Context(seconds_left * 1000),
    )


def organizations(count: int, **overrides: Any) -> None:
    numbered = ({"id": f"org-{n:05d}", "name": f"{n}", "slug": f"{n}", "retention_days": 30} for n in range(count))
    add(organization, [each | overrides for each in numbered])


def sent(stack: Stack) -> list[dict[str, Any]]:
    client = boto3.client("sqs")
    bodies: list[dict[str, Any]] = []
    while messages := client.receive_message(QueueUrl=stack.inbox_url, MaxNumberOfMessages=10).get("Messages"):
        bodies += [json.loads(message["Body"]) for message in messages]
    return bodies


@pytest.fixture(autouse=True)
def worker(stack: Stack, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setenv("ALERTS_CLEANUP_RESOLVED_INBOX_URL", stack.inbox_url)
    forget_environment()
    return stack


def test_sends_one_event_per_organization(stack: Stack) -> None:
    organizations(25)

    page = send_page(None, run())

    assert (page.sent, page.cursor) == (25, None)
    messages = sent(stack)
    assert {each["detail"]["data"]["organization_id"] for each in messages} == {f"org-{n:05d}" for n in range(25)}
    assert {each["detail-type"] for each in messages} == {"alerts/cleanup.resolved.alerts"}
    assert {each["time"] for each in messages} == {"2026-03-01T05:00:00.000Z"}


def test_sends_nothing_where_there_are_no_organizations(stack: Stack) -> None:
    assert send_page(None, run()).model_dump() == {"cursor": None, "sent": 0}
    assert stack.asked("SendMessageBatch") == []


@pytest.mark.parametrize("retention", [None, 0, 400, -7])
def test_passes_a_retention_on_as_it_reads_it(stack: Stack, retention: int | None) -> None:
    organizations(1, retention_days=retention)

    send_page(None, run())

    [message] = sent(stack)
    assert message["detail"]["data"] == {"organization_id": "org-00000", "retention_days": retention}


def test_goes_on_after_its_cursor(stack: Stack) -> None:
    organizations(5)

    page = send_page("org-00002", run())

    assert page.sent == 2
    assert {each["detail"]["data"]["organization_id"] for each in sent(stack)} == {"org-00003", "org-00004"}


def test_reads_page_by_page_as_long_as_there_is_time() -> None:
    organizations(PAGE + 1)

    assert send_page(None, run()).model_dump() == {"cursor": None, "sent": PAGE + 1}


def test_answers_its_cursor_when_its_deadline_is_near() -> None:
    organizations(PAGE + 1)

    first = send_page(None, run(seconds_left=5))
    second = send_page(first.cursor, run(seconds_left=5))

    assert (first.sent, first.cursor) == (PAGE, f"org-{PAGE - 1:05d}")
    assert (second.sent, second.cursor) == (1, None)


def test_ends_after_a_last_page_that_is_exactly_full() -> None:
    organizations(PAGE)

    first = send_page(None, run(seconds_left=5))
    second = send_page(first.cursor, run())

    assert (first.sent, second.sent, second.cursor) == (PAGE, 0, None)


def test_sends_the_same_events_when_a_page_is_repeated(stack: Stack) -> None:
    organizations(3)

    send_page(None, run())
    first = {each["detail"]["metadata"]["id"] for each in sent(stack)}
    send_page(None, run())
    again = {each["detail"]["metadata"]["id"] for each in sent(stack)}

    assert first == again
    assert len(first) == 3


def test_sends_new_events_when_the_night_is_run_again_on_purpose(stack: Stack) -> None:
    organizations(1)

    send_page(None, run())
    send_page(None, run(generation=1))

    assert len({each["detail"]["metadata"]["id"] for each in sent(stack)}) == 2


def test_answers_its_state_machine(stack: Stack) -> None:
    organizations(2)

    answer = handler(
        {
            "step": "send_page",
            "run": str(RunId.of("alerts-prepare-cleanup", "event-1")),
            "attempt": 0,
            "input": {"event": fired(), "cursor": None},
        },
        Context(),
    )

    assert answer == {"cursor": None, "sent": 2}
