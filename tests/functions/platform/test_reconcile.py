from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from functions.platform.reconcile import handler
from shared import clock
from shared.engine.row import Row
from tests.factories import Context
from tests.reconciling import NIGHTLY, RECONCILE, TASK, Deployed, came
from tests.stack import START


def fire(deployed: Deployed, *, context: Context | None = None, **ahead: float) -> dict[str, Any]:
    """Deliver what the schedule sends at a time that is ahead of now."""
    at = clock.isoformat(clock.now() + timedelta(**ahead))
    body = {
        "source": "nightshift.schedule",
        "detail-type": "nightshift/schedule.fired",
        "time": at,
        "detail": {"data": {"schedule": RECONCILE, "scheduled_at": at}, "metadata": {"id": f"{RECONCILE}/{at}"}},
    }
    answer = handler(deployed.stack.message(json.dumps(body)), context or Context())
    assert answer == {"batchItemFailures": []}
    return body


def run_of(deployed: Deployed, body: dict[str, Any]) -> Row:
    return deployed.stack.row(RECONCILE, body["detail"]["metadata"]["id"])


def goes_on(deployed: Deployed, context: Context | None = None) -> None:
    """Deliver the one message in the function's own inbox (in this test, the one of its `stack`)."""
    [message] = deployed.stack.inbox()
    handler(deployed.stack.message(json.dumps(message)), context or Context())


def test_says_what_it_looked_at_and_what_it_found(deployed: Deployed) -> None:
    came()
    deployed.put("waiting", event_id="event-2")
    deployed.put("running", event_id="event-3", lease=clock.milliseconds(START + timedelta(hours=1)), holder="w")

    fired = fire(deployed, minutes=5)

    row = run_of(deployed, fired)
    assert (row.status, row.output) == ("completed", {"looked_at": 2, "event": 1, "start": 1})
    assert len(deployed.sent(TASK)) == 2


def test_a_quiet_night_is_a_run_too(deployed: Deployed) -> None:
    fired = fire(deployed)

    assert run_of(deployed, fired).output == {"looked_at": 0}


def test_a_schedule_that_did_not_fire_is_among_the_findings(deployed: Deployed) -> None:
    deployed.schedule("cron(0 * * * ? *)", since=START - timedelta(days=1))
    fire(deployed)
    deployed.stack.advance(minutes=65)

    fired = fire(deployed)

    output = run_of(deployed, fired).output
    assert output["schedule"] == 2  # at 05:00 and 06:00
    assert len(deployed.sent(NIGHTLY)) == 2


def test_fired_as_of_a_later_time_it_expects_no_schedule_that_is_still_to_come(deployed: Deployed) -> None:
    deployed.schedule("cron(0 * * * ? *)", since=START - timedelta(days=1))
    deployed.stack.advance(minutes=5)
    fire(deployed)

    fired = fire(deployed, hours=5)

    assert "schedule" not in run_of(deployed, fired).output
    assert deployed.sent(NIGHTLY) == []


def test_goes_on_in_another_call_and_adds_up(deployed: Deployed) -> None:
    for number in range(4):
        came(f"event-{number}")
    hurried = Hurried(calls=2)

    fired = fire(deployed, context=hurried, minutes=5)
    deployed.sent(TASK)
    between = run_of(deployed, fired)
    goes_on(deployed)

    row = run_of(deployed, fired)
    assert (between.status, between.cursor) == ("running", {"looked_at": 2, "event": 2})
    assert (row.status, row.output, row.attempts) == ("completed", {"looked_at": 4, "event": 4}, 1)


def test_the_same_firing_delivered_twice_is_one_look(deployed: Deployed) -> None:
    came()
    fire(deployed, minutes=5)
    deployed.sent(TASK)

    fire(deployed, minutes=5)

    assert deployed.sent(TASK) == []


def test_finds_its_own_run_that_died(deployed: Deployed) -> None:
    dead = deployed.put("running", function=RECONCILE, event_id="earlier", holder="dead", attempts=1)

    fire(deployed, minutes=6)

    assert deployed.sent(RECONCILE) == [{"nightshift": "due", "run": str(dead)}]


def test_without_time_it_looks_at_nothing_and_goes_on(deployed: Deployed) -> None:
    came()

    fired = fire(deployed, context=Hurried(calls=0), minutes=5)

    row = run_of(deployed, fired)
    assert (row.status, row.cursor, row.continuation) == ("running", {"looked_at": 0}, 1)
    assert deployed.sent(TASK) == []


def test_a_quarter_of_its_time_is_left_for_the_last_item(deployed: Deployed) -> None:
    came()

    fired = fire(deployed, context=Context(milliseconds=100), minutes=5)

    assert run_of(deployed, fired).status == "completed"  # as little as it was, none of it went by


class Hurried(Context):
    """A call whose time is over after `calls` looks at it (and two before that: its lease, its margin)."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._answers = iter([60_000] * (calls + 2))

    def get_remaining_time_in_millis(self) -> int:
        return next(self._answers, 1)
