"""Each kind of thing that gets lost, what becomes of it, and what is left alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest

from shared import aws, clock
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.reconciler import Reconciler
from shared.engine.unfinished import PAGE
from tests.reconciling import MACHINES, NIGHTLY, RECONCILE, TASK, WORKFLOW, Deployed, answering, came
from tests.stack import START
from tests.worker import Worker

Capture = pytest.CaptureFixture[str]


def milliseconds(**after: float) -> int:
    return clock.milliseconds(START + timedelta(**after))


def execution(status: str, **ended: float) -> dict[str, Any]:
    stopped = {"stopDate": START + timedelta(**ended)} if ended else {}
    arn = f"{MACHINES.replace('stateMachine', 'execution')}{WORKFLOW}:x"
    return {"executionArn": arn, "status": status, "startDate": START} | stopped


class TestAnEvent:
    def test_is_sent_to_each_function_that_has_no_run_for_it(self, deployed: Deployed) -> None:
        event = came(name="demo/met")
        deployed.put("completed", function=TASK)

        found = deployed.pass_over(minutes=5)

        assert found == {"event": 1}
        assert deployed.sent(WORKFLOW) == [event.as_dict()]
        assert deployed.sent(TASK) == []

    def test_is_sent_as_it_came_so_that_its_run_is_the_one_that_was_expected(self, deployed: Deployed) -> None:
        came(data={"name": "Grace \N{HATCHING CHICK}"}, time="2026-02-28T23:59:59.123456Z", region="us-east-1")
        deployed.pass_over(minutes=5)
        [body] = deployed.sent(TASK)

        worker = Worker()
        worker.receives(deployed.stack, json.dumps(body))

        assert worker.events[0].name == "Grace \N{HATCHING CHICK}"
        assert deployed.stack.row(TASK).status == "completed"
        assert deployed.pass_over(minutes=60) == {}
        assert deployed.open_items() == {}

    def test_is_settled_once_every_run_has_a_row_however_it_ended(self, deployed: Deployed) -> None:
        came(name="demo/met")
        deployed.put("skipped", function=TASK)
        deployed.put("completed", function=WORKFLOW)

        found = deployed.pass_over(minutes=5)

        assert found == {}
        assert deployed.open_items() == {}

    def test_for_nobody_is_never_looked_at(self, deployed: Deployed) -> None:
        came(name="demo/unheard")

        reconciler = Reconciler(START + timedelta(days=99), lambda: True)
        reconciler.run()

        assert reconciler.looked_at == 0

    def test_is_sent_again_at_each_look_and_looked_at_ever_more_rarely(self, deployed: Deployed) -> None:
        came()
        looks: list[float] = []

        for _ in range(10):
            [check_at] = deployed.open_items().values()
            deployed.stack.clock.advance(datetime.fromisoformat(check_at) - clock.now() - timedelta(seconds=1))
            assert deployed.pass_over() == {}
            deployed.stack.advance(seconds=1)
            assert deployed.pass_over() == {"event": 1}
            looks.append((clock.now() - START) / timedelta(minutes=1))
            deployed.sent(TASK)

        assert looks == [5, 10, 20, 40, 80, 160, 320, 640, 1000, 1360]

    def test_is_not_expected_of_functions_that_are_gone_or_react_to_something_else_now(
        self, deployed: Deployed
    ) -> None:
        came(name="demo/met")
        deployed.deploy({TASK: None, WORKFLOW: {"kind": "workflow", "events": ["demo/left"], "schedule": None}})

        found = deployed.pass_over(minutes=5)

        assert found == {}
        assert deployed.open_items() == {}

    def test_reaches_the_others_when_one_inbox_cannot_be_reached(self, deployed: Deployed) -> None:
        came(name="demo/met")
        sqs = boto3.client("sqs")
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"test_{TASK}")["QueueUrl"])

        found = deployed.pass_over(minutes=5)

        assert found == {"event": 1}
        assert len(deployed.sent(WORKFLOW)) == 1
        assert list(deployed.open_items().values()) > ["2026-03-01T05:05:00.000Z"]

    def test_with_an_id_as_long_and_odd_as_can_be_is_driven_on(self, deployed: Deployed) -> None:
        event_id = "\N{HATCHING CHICK}" * 511 + "\x00"
        came(event_id)

        deployed.pass_over(minutes=5)

        [body] = deployed.sent(TASK)
        assert body["detail"]["metadata"]["id"] == event_id


class TestARun:
    @pytest.mark.parametrize("status", ["accepted", "waiting"])
    @pytest.mark.parametrize("function", [TASK, WORKFLOW])
    def test_that_never_started_is_told_that_it_is_due(self, deployed: Deployed, status: str, function: str) -> None:
        run = deployed.put(status, function=function, slot=milliseconds() if status == "waiting" else 0)

        found = deployed.pass_over(minutes=5)

        assert found == {"start": 1}
        assert deployed.sent(function) == [{"nightshift": "due", "run": str(run)}]

    def test_whose_worker_died_is_taken_by_another(self, deployed: Deployed) -> None:
        deployed.put("running", holder="dead", lease=milliseconds(seconds=60), attempts=1)
        deployed.stack.advance(minutes=7)
        found = deployed.pass_over()
        [body] = deployed.sent(TASK)

        Worker().receives(deployed.stack, json.dumps(body))

        row = deployed.stack.row(TASK)
        assert found == {"worker": 1}
        assert (row.status, row.attempts) == ("completed", 2)

    def test_whose_worker_died_on_its_last_attempt_ends_and_is_told(self, deployed: Deployed) -> None:
        deployed.put("running", holder="dead", lease=milliseconds(seconds=60), attempts=3)
        deployed.stack.advance(minutes=7)
        deployed.pass_over()
        [body] = deployed.sent(TASK)
        worker = Worker(attempts=3)

        worker.receives(deployed.stack, json.dumps(body))
        worker.works_off(deployed.stack)

        row = deployed.stack.row(TASK)
        assert worker.runs == []
        assert (row.status, row.failure) == ("failed", "handled")
        assert row.error is not None
        assert row.error["type"] == "WorkerDiedError"

    @pytest.mark.parametrize(
        ("status", "ledger_status"), [("FAILED", "failed"), ("TIMED_OUT", "failed"), ("ABORTED", "cancelled")]
    )
    def test_whose_executions_bad_end_nobody_heard_of_ends_and_is_told(
        self, deployed: Deployed, status: str, ledger_status: str
    ) -> None:
        run = deployed.put("running", function=WORKFLOW)
        ended = execution(status, minutes=1) | {"name": str(run)}

        with (
            answering("stepfunctions", "DescribeExecution", lambda: ended),
            answering("stepfunctions", "GetExecutionHistory", lambda: {"events": []}),
        ):
            found = deployed.pass_over(minutes=6)

        row = deployed.stack.row(WORKFLOW)
        assert found == {"end": 1}
        assert (row.status, row.failure, row.ended_at) == (ledger_status, "pending", "2026-03-01T05:01:00.000Z")
        assert deployed.sent(WORKFLOW) == [{"nightshift": "failure", "run": str(run)}]

    def test_whose_executions_good_end_nobody_heard_of_is_completed(self, deployed: Deployed) -> None:
        run = deployed.put("running", function=WORKFLOW)
        ended = execution("SUCCEEDED", minutes=1) | {"name": str(run), "output": '{"sent": 3}'}

        with answering("stepfunctions", "DescribeExecution", lambda: ended):
            found = deployed.pass_over(minutes=6)

        row = deployed.stack.row(WORKFLOW)
        assert found == {"end": 1}
        assert (row.status, row.output) == ("completed", {"sent": 3})
        assert deployed.sent(WORKFLOW) == []

    def test_whose_execution_nobody_knows_has_failed(self, deployed: Deployed) -> None:
        run = deployed.put("running", function=WORKFLOW)

        found = deployed.pass_over(minutes=6)

        row = deployed.stack.row(WORKFLOW)
        assert found == {"end": 1}
        assert (row.status, row.error and row.error["type"]) == ("failed", "ExecutionLostError")
        assert deployed.sent(WORKFLOW) == [{"nightshift": "failure", "run": str(run)}]

    def test_whose_end_is_written_while_it_is_looked_at_is_no_finding(self, deployed: Deployed) -> None:
        run = deployed.put("running", function=WORKFLOW)

        def end_it() -> dict[str, Any]:
            ledger().complete(run, output=None)
            return execution("SUCCEEDED", minutes=1) | {"name": str(run)}

        with answering("stepfunctions", "DescribeExecution", end_it):
            found = deployed.pass_over(minutes=6)

        assert found == {}

    @pytest.mark.parametrize("function", [TASK, WORKFLOW])
    @pytest.mark.parametrize("status", ["failed", "cancelled"])
    @pytest.mark.parametrize("failure", ["pending", "told"])
    def test_whose_bad_end_was_not_told_is_told(
        self, deployed: Deployed, function: str, status: str, failure: Any
    ) -> None:
        run = deployed.put(status, function=function, failure=failure, ended_at="2026-03-01T05:00:00.000Z")

        found = deployed.pass_over(minutes=5)

        assert found == {"failure": 1}
        assert deployed.sent(function) == [{"nightshift": "failure", "run": str(run)}]

    def test_of_a_function_that_is_no_longer_deployed_is_left_for_later(self, deployed: Deployed) -> None:
        deployed.put("accepted")
        deployed.deploy({TASK: None})

        first, second = deployed.pass_over(minutes=5), deployed.pass_over(minutes=5)

        assert (first, second) == ({}, {})
        assert list(deployed.open_items().values()) == ["2026-03-01T05:10:00.000Z"]
        assert deployed.sent(TASK) == []


class TestLeavesAlone:
    @pytest.mark.parametrize(
        "row",
        [
            {"status": "running", "holder": "w", "lease": milliseconds(minutes=15)},
            {"status": "accepted", "holder": "w", "lease": milliseconds(minutes=15)},
            {"status": "waiting", "slot": milliseconds(days=2)},
            {"status": "failed", "failure": "pending", "holder": "w", "lease": milliseconds(minutes=15)},
        ],
        ids=lambda row: f"{row['status']}",
    )
    @pytest.mark.parametrize("function", [TASK, WORKFLOW])
    def test_what_a_worker_has_and_what_waits_for_its_time(
        self, deployed: Deployed, function: str, row: dict[str, Any]
    ) -> None:
        deployed.put(function=function, **row)

        found = deployed.pass_over(hours=1)  # as of a time at which all of them will be overdue

        assert found == {}
        assert deployed.sent(function) == []

    @pytest.mark.parametrize("status", ["completed", "skipped"])
    def test_what_is_over(self, deployed: Deployed, status: str) -> None:
        deployed.put(status)

        assert deployed.pass_over(days=3) == {}

    def test_an_execution_that_still_runs(self, deployed: Deployed) -> None:
        deployed.put("running", function=WORKFLOW)

        with answering("stepfunctions", "DescribeExecution", lambda: execution("RUNNING")):
            found = deployed.pass_over(hours=1)

        assert found == {}
        assert deployed.stack.row(WORKFLOW).status == "running"
        assert [each["nightshift"] for each in deployed.sent(WORKFLOW)] == ["due"]  # it may be over its time

    def test_an_execution_whose_end_is_still_on_its_way_into_the_ledger(self, deployed: Deployed) -> None:
        run = deployed.put("running", function=WORKFLOW)
        ended = execution("SUCCEEDED", minutes=4) | {"name": str(run)}

        with answering("stepfunctions", "DescribeExecution", lambda: ended):
            soon, later = deployed.pass_over(minutes=6), deployed.pass_over(minutes=12)

        assert (soon, later) == ({}, {"end": 1})

    def test_a_task_between_two_attempts(self, deployed: Deployed) -> None:
        worker = Worker(ValueError("once"))
        worker.receives(deployed.stack)
        deployed.stack.advance(minutes=5)

        assert deployed.pass_over() == {}
        assert deployed.pass_over(minutes=2) == {"worker": 1}


class TestABacklog:
    @pytest.mark.parametrize(
        "loss",
        [
            lambda _: came(),
            lambda deployed: deployed.put("accepted"),
            lambda deployed: deployed.put("running", holder="dead", attempts=1),
            lambda deployed: deployed.put("failed", failure="pending", ended_at="2026-03-01T05:00:00.000Z"),
        ],
        ids=["event", "start", "worker", "failure"],
    )
    def test_is_not_made_longer_for_some_hours(self, deployed: Deployed, loss: Any) -> None:
        loss(deployed)
        deployed.fill(TASK)

        found = [deployed.pass_over(hours=hours) for hours in (0.1, 1, 5.9)]
        at_last = deployed.pass_over(hours=20)

        assert found == [{}, {}, {}]
        assert sum(at_last.values()) == 1

    def test_of_one_function_does_not_hold_up_another(self, deployed: Deployed) -> None:
        came(name="demo/met")
        deployed.fill(TASK)

        assert deployed.pass_over(minutes=5) == {"event": 1}
        assert len(deployed.sent(WORKFLOW)) == 1

    def test_is_asked_about_once_a_pass(self, deployed: Deployed) -> None:
        for number in range(20):
            came(f"event-{number}")

        assert deployed.pass_over(minutes=5) == {"event": 20}
        assert deployed.calls("GetQueueAttributes") == 1

    def test_of_what_the_reconciler_itself_sent_is_patience_enough(self, deployed: Deployed) -> None:
        came()
        deployed.pass_over(minutes=5)

        again = [deployed.pass_over(minutes=minutes) for minutes in (10, 20, 40, 80)]

        assert again == [{}, {}, {}, {}]
        assert len(deployed.sent(TASK)) == 1

    def test_counts_from_when_a_waiting_run_was_due(self, deployed: Deployed) -> None:
        deployed.put("waiting", slot=milliseconds(days=3))
        deployed.fill(TASK)
        deployed.stack.advance(days=3)

        assert deployed.pass_over(hours=1) == {}
        assert deployed.pass_over(hours=20) == {"start": 1}


class TestAPass:
    def test_drives_each_thing_on_once_a_look(self, deployed: Deployed) -> None:
        came()
        deployed.put("accepted", event_id="event-2")
        deployed.put("failed", event_id="event-3", failure="pending", ended_at="2026-03-01T05:00:00.000Z")

        first, second = deployed.pass_over(minutes=5), deployed.pass_over(minutes=5)

        assert first == {"event": 1, "start": 1, "failure": 1}
        assert second == {}
        assert len(deployed.sent(TASK)) == 3

    def test_as_of_a_time_far_ahead_looks_at_each_thing_once(self, deployed: Deployed) -> None:
        came()
        reconciler = Reconciler(START + timedelta(days=30), lambda: True)

        assert reconciler.run() is True

        assert reconciler.looked_at == 1
        assert min(deployed.open_items().values()) > "2026-03-31"

    @pytest.mark.parametrize("loss", ["event", "start", "end"])
    def test_beside_another_drives_each_thing_on_once(self, deployed: Deployed, loss: str) -> None:
        if loss == "event":
            came()
        else:
            deployed.put("accepted" if loss == "start" else "running", function=TASK if loss == "start" else WORKFLOW)
        founds: list[dict[str, int]] = []

        def pass_over_too() -> None:
            if not founds:
                founds.append({})
                founds[0] = deployed.pass_over(minutes=5)

        with answering("dynamodb", "UpdateItem", pass_over_too):  # between the first one's read and its write
            found = deployed.pass_over(minutes=5)

        assert [found, *founds] == [{}, {loss: 1}]
        assert len(deployed.sent(TASK) + deployed.sent(WORKFLOW)) == 1

    def test_goes_on_after_an_item_that_cannot_be_read(
        self, deployed: Deployed, caplog: pytest.LogCaptureFixture
    ) -> None:
        poison = {"open_shard": {"S": "open#0"}, "check_at": {"S": "2026-03-01T05:00:00.000Z"}, "sk": {"N": "0"}}
        for number, more in enumerate(({}, {"accepted_at": {"S": "soon"}}, {"functions": {"S": "{"}})):
            for kind in ("run", "event"):
                item: Any = poison | {"pk": {"S": f"{kind}#{number}"}} | more
                boto3.client("dynamodb").put_item(TableName="test_ledger", Item=item)
        deployed.put("accepted", event_id="event-2")
        boto3.client("dynamodb").update_item(
            TableName="test_ledger",
            Key={"pk": {"S": f"run#{RunId.of(TASK, 'event-2').uuid}"}, "sk": {"N": "0"}},
            UpdateExpression="SET accepted_at = :soon",
            ExpressionAttributeValues={":soon": {"S": "soon"}},
        )
        came()

        first = deployed.pass_over(minutes=5)
        complaints = len([record for record in caplog.records if record.levelname == "ERROR"])
        caplog.clear()
        second = deployed.pass_over(hours=3)

        assert (first, second) == ({"event": 1}, {})
        assert complaints == 7
        assert caplog.records == []  # they are out of the way for a while

    def test_goes_on_after_what_aws_refuses(self, deployed: Deployed) -> None:
        for number in range(3):
            deployed.put("accepted", event_id=f"event-{number}", function=NIGHTLY)
        deployed.put("accepted")
        sqs = boto3.client("sqs")
        sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=f"test_{NIGHTLY}")["QueueUrl"])

        assert deployed.pass_over(minutes=5) == {"start": 1}
        assert len(deployed.sent(TASK)) == 1

    def test_stops_between_two_items_when_its_time_is_over(self, deployed: Deployed) -> None:
        for number in range(5):
            came(f"event-{number}")
        answers = iter([True, True, False])
        reconciler = Reconciler(START + timedelta(minutes=5), lambda: next(answers))

        assert reconciler.run() is False

        assert reconciler.looked_at == 2
        assert len(deployed.sent(TASK)) == 2
        assert deployed.pass_over(minutes=5) == {"event": 3}
        assert len(deployed.sent(TASK)) == 3

    def test_counts_each_run_for_the_alarm_at_once(self, deployed: Deployed, capsys: Capture) -> None:
        came(name="demo/met")
        deployed.put("accepted", event_id="event-2")

        deployed.pass_over(minutes=5)

        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        counted = [each for each in lines if "RunsDrivenOn" in each]
        assert [(each["function"], each["RunsDrivenOn"]) for each in counted] == [(RECONCILE, [1.0])] * 3

    def test_costs_as_many_calls_an_item_however_many_there_are(self, deployed: Deployed) -> None:
        def calls_for(number: int, start: int) -> dict[str, float]:
            for each in range(start, start + number):
                came(f"event-{each}")
                deployed.put("completed", event_id=f"event-{each}")
            deployed.stack.calls.clear()
            deployed.pass_over(minutes=5)
            names = ("Query", "BatchGetItem", "UpdateItem", "GetItem", "SendMessage", "GetQueueAttributes")
            return {name: deployed.calls(name) for name in names if deployed.calls(name)}

        few, many = calls_for(PAGE, 0), calls_for(3 * PAGE, PAGE)

        assert few == {"Query": 16, "BatchGetItem": 2, "UpdateItem": PAGE}
        assert many == {"Query": 16, "BatchGetItem": 6, "UpdateItem": 3 * PAGE}

    def test_an_outage_of_the_ledger_is_the_passes_own_failure(self, deployed: Deployed) -> None:
        client = aws.client("dynamodb")
        boto3.client("dynamodb").delete_table(TableName="test_ledger")

        with pytest.raises(client.exceptions.ResourceNotFoundException):
            deployed.pass_over(minutes=5)
