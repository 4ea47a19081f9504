"""Nothing is lost and nothing done twice, whatever dies when; `NIGHTSHIFT_SEED` repeats what a failure printed."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from shared import clock
from shared.engine.identity import RunId
from tests.end_to_end.running import until
from tests.end_to_end.sabotage.driving import AHEAD
from tests.end_to_end.sabotage.faults import ENDED_RULE
from tests.end_to_end.sabotage.mixture import orders
from tests.end_to_end.sabotage.soak import any_seed, send, soak
from tests.end_to_end.sabotage.tally import tally

if TYPE_CHECKING:
    from tests.end_to_end.sabotage.driving import Sabotage

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("sabotage"), pytest.mark.timeout(900)]

RECONCILE = "platform-reconcile"


@pytest.fixture
def seed() -> int:
    """Shown by pytest where the test fails."""
    seed = any_seed()
    sys.stdout.write(f"NIGHTSHIFT_SEED={seed}\n")
    return seed


def test_every_run_survives_deaths_at_random_kill_points(sabotage: Sabotage, seed: int) -> None:
    sent = list(orders(60, seed, name="struck", struck=1))
    before = len(sabotage.kills())

    send(sabotage, sent, seed)
    sabotage.settle()

    assert tally(sabotage, sent).problems == []
    assert len(sabotage.kills()) - before > len(sent) / 4


def test_a_soak_of_some_hundred_events(sabotage: Sabotage, seed: int) -> None:
    result = soak(sabotage, list(orders(200, seed)), seed)

    sys.stdout.write("\n".join(result.lines()))
    assert result.problems == []


def test_reconcilers_that_die_drive_on_what_was_lost(sabotage: Sabotage, seed: int) -> None:
    events = sabotage.client("events")
    lost_events = [order for order in orders(60, seed, name="unheard", struck=0) if order.copies == 1]
    lost_ends = [
        order for order in orders(60, seed + 1, name="unended", struck=0) if order.kind.function.endswith("flow")
    ]
    rules = [{"Name": f"nightshift_{order.kind.function}", "EventBusName": "nightshift"} for order in lost_events]
    given = len(sabotage.kills())

    for rule in rules:
        events.disable_rule(**rule)
    send(sabotage, lost_events, seed)
    for rule in rules:
        events.enable_rule(**rule)
    events.disable_rule(Name=ENDED_RULE)
    send(sabotage, lost_ends, seed)
    sabotage.drain(limit=120)
    events.enable_rule(Name=ENDED_RULE)
    reconcilers = [fire_struck(sabotage, f"{seed} {number}", chance=0.03) for number in range(6)]
    until(lambda: len(sabotage.kills()) > given, "a reconciler to die")
    sabotage.settle()

    assert tally(sabotage, lost_events).problems == []
    assert tally(sabotage, lost_ends).problems == []
    found = {run["run_id"]: run for run in sabotage.stack.runs(RECONCILE)}
    assert {found[run]["status"] for run in reconcilers} <= {"completed", "failed"}


def fire_struck(sabotage: Sabotage, seed: str, *, chance: float) -> str:
    """Run the reconciler as of later, with a plan by which its workers may die at each of its calls."""
    event_id = f"{RECONCILE}/{seed}"
    run = str(RunId.of(RECONCILE, event_id))
    sabotage.plan(run, {"chance": chance, "seed": seed})
    at = clock.isoformat(datetime.now(UTC) + AHEAD)
    data = {"schedule": RECONCILE, "scheduled_at": at}
    detail = {"data": data, "metadata": {"id": event_id}}
    body = {"source": "nightshift.schedule", "detail-type": "nightshift/schedule.fired", "time": at, "detail": detail}
    sabotage.stack.deliver(RECONCILE, [json.dumps(body)])
    return run
