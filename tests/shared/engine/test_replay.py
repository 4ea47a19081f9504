from __future__ import annotations

import pytest

from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.replay import NotReplayableError, replay
from tests.factories import envelope
from tests.reconciling import TASK, Deployed
from tests.worker import Worker


def test_asks_for_the_next_generation_of_the_same_event(deployed: Deployed) -> None:
    run = deployed.put("failed", failure="handled")

    following = replay(run)

    assert following == RunId(run.uuid, 1)
    [body] = deployed.sent(TASK)
    assert body["detail"]["metadata"] == {"id": "event-1", "generation": 1}
    assert body["detail"]["data"] == {"name": "Ada"}


def test_two_who_ask_at_once_get_the_same_generation_and_it_runs_once(deployed: Deployed) -> None:
    run = deployed.put("completed")
    worker = Worker()

    assert replay(run) == replay(run) == RunId(run.uuid, 1)

    for body in deployed.sent(TASK):
        worker.receives(deployed.stack, envelope(detail=body["detail"]))
    assert [each.id for each in worker.runs] == [RunId(run.uuid, 1)]


def test_whichever_generation_is_named_the_next_is_after_the_last(deployed: Deployed) -> None:
    first = deployed.put("completed")
    worker = Worker()

    for expected in (1, 2, 3):
        assert replay(first) == RunId(first.uuid, expected)
        [body] = deployed.sent(TASK)
        worker.receives(deployed.stack, envelope(detail=body["detail"]))

    assert replay(RunId(first.uuid, 2)) == RunId(first.uuid, 4)
    assert [each.id.generation for each in worker.runs] == [1, 2, 3]


def test_generations_are_ordered_as_numbers(deployed: Deployed) -> None:
    run = deployed.put("completed")
    for generation in (2, 9, 10):
        body = envelope(metadata={"generation": generation})
        Worker().receives(deployed.stack, body)

    assert replay(run).generation == 11


def test_a_generation_has_attempts_and_an_end_of_its_own(deployed: Deployed) -> None:
    worker = Worker(ValueError("no"), attempts=1)
    worker.receives(deployed.stack)
    replay(RunId.of(TASK, "event-1"))
    [body] = deployed.sent(TASK)

    worker.receives(deployed.stack, envelope(detail=body["detail"]))

    again = deployed.stack.row(TASK, generation=1)
    assert (deployed.stack.row(TASK).status, again.status, again.attempts) == ("failed", "completed", 1)


@pytest.mark.parametrize("known", [True, False])
def test_a_run_without_an_event_cannot_be_replayed(deployed: Deployed, known: bool) -> None:
    run = RunId.of(TASK, "event-1")
    if known:
        deployed.put("failed", event="", failure="handled")

    with pytest.raises(NotReplayableError, match="has no event" if known else "is not known"):
        replay(run)

    assert deployed.sent(TASK) == []


def test_replaying_changes_nothing_of_the_runs_before(deployed: Deployed) -> None:
    run = deployed.put("completed")
    before = ledger().get(run)

    replay(run)

    assert ledger().get(run) == before
