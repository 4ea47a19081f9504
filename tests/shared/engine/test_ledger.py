from __future__ import annotations

from datetime import timedelta
from typing import Any

import boto3
import pytest

from shared import clock
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.row import KEPT, OPEN, Row
from tests.stack import START, Stack

RUN = RunId.of("demo", "event-1")


def row(**overrides: Any) -> Row:
    values: dict[str, Any] = {
        "id": RUN,
        "function": "demo",
        "status": "running",
        "event_id": "event-1",
        "event_name": "demo/greeted",
        "accepted_at": clock.isoformat(START),
        "event": '{"any": "json"}',
        "started_at": clock.isoformat(START),
        "attempts": 1,
        "lease": 1_772_341_200_000,
        "holder": "worker-1",
    }
    return Row(**(values | overrides))


def item() -> dict[str, Any]:
    key = {"pk": {"S": f"run#{RUN.uuid}"}, "sk": {"N": "0"}}
    return dict(boto3.client("dynamodb").get_item(TableName="test_ledger", Key=key)["Item"])


def test_reads_back_what_it_wrote(stack: Stack) -> None:
    assert ledger().create(row()) is None
    assert ledger().get(RUN) == row()


def test_knows_nothing_of_a_run_that_was_not_accepted(stack: Stack) -> None:
    assert ledger().get(RUN) is None


def test_answers_the_first_row_to_whoever_comes_second(stack: Stack) -> None:
    ledger().create(row())

    assert ledger().create(row(holder="worker-2")) == row()
    assert ledger().get(RUN) == row()


def test_keeps_a_row_for_a_hundred_days(stack: Stack) -> None:
    ledger().create(row())

    assert int(item()["expires"]["N"]) == (START + KEPT).timestamp()


def test_lists_a_row_as_open_until_it_ends(stack: Stack) -> None:
    ledger().create(row())
    before = item()
    ledger().complete(RUN, output=None, holder="worker-1")

    assert before["open_shard"] == {"S": f"open#{RUN.uuid[0]}"}
    assert "open_shard" not in item()


def test_does_not_list_a_row_as_open_that_begins_ended(stack: Stack) -> None:
    ledger().create(row(status="failed"))

    assert "open_shard" not in item()


@pytest.mark.parametrize("end", ["complete", "fail"])
def test_lets_only_the_holder_end_a_run(stack: Stack, end: str) -> None:
    ledger().create(row())
    what: dict[str, Any] = {"output": 1} if end == "complete" else {"error": {"type": "E", "message": "m"}}

    foreign = getattr(ledger(), end)(RUN, holder="worker-2", **what)
    own = getattr(ledger(), end)(RUN, holder="worker-1", **what)

    assert (foreign, own) == (False, True)


def test_ends_a_run_once(stack: Stack) -> None:
    ledger().create(row())

    assert ledger().complete(RUN, output={"first": True}) is True
    assert ledger().fail(RUN, error={"type": "E", "message": "late"}) is False
    assert ledger().complete(RUN, output=None) is False
    ended = ledger().get(RUN)
    assert ended is not None
    assert (ended.status, ended.output) == ("completed", {"first": True})


def test_gives_a_run_to_one_of_two_takers(stack: Stack) -> None:
    ledger().create(row())
    known = ledger().get(RUN)
    assert known is not None

    taken = [ledger().take(known, holder=name, lease=START + timedelta(hours=1)) for name in ("2", "3")]

    assert taken == [True, False]
    after = ledger().get(RUN)
    assert after is not None
    assert (after.holder, after.attempts, after.started_at) == ("2", 2, known.started_at)


def test_keeps_a_falsy_cursor_and_output(stack: Stack) -> None:
    ledger().create(row())
    ledger().go_on(row(), holder="worker-1", cursor=0)

    after = ledger().get(RUN)
    assert after is not None
    assert (after.cursor, after.continuation, after.attempts, after.lease, after.holder) == (0, 1, 1, 0, "")


def test_shows_what_the_command_line_promises(stack: Stack) -> None:
    assert set(row().as_dict()) == {
        "run_id", "generation", "function", "status", "event_id", "event_name", "accepted_at", "started_at",
        "ended_at", "attempts", "output", "error",
    }  # fmt: skip


def test_counts_every_status_as_open_or_ended() -> None:
    assert OPEN == ("accepted", "waiting", "running")


def test_knows_the_newest_generation_of_a_run(stack: Stack) -> None:
    for generation in (0, 2, 10):
        ledger().create(row(id=RunId(RUN.uuid, generation)))

    newest = ledger().newest(RunId(RUN.uuid, 2))

    assert newest is not None
    assert newest.id == RunId(RUN.uuid, 10)
    assert ledger().newest(RunId.of("demo", "another")) is None
