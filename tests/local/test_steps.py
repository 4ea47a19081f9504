from __future__ import annotations

import threading
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.aws.invocation import Invocation
from local.steps import StepRun, read_history, steps_of
from tests.histories import ANSWER, CALL, WrittenHistory
from tests.local.aws.state_machines.conftest import bus as bus
from tests.local.aws.state_machines.conftest import client as client
from tests.local.aws.state_machines.conftest import endpoint as endpoint
from tests.local.aws.state_machines.conftest import functions as functions
from tests.local.aws.state_machines.conftest import machines as machines
from tests.local.aws.state_machines.machines import Machines, task


def at(second: int) -> str:
    return f"2026-03-01T05:00:{second:02}.000Z"


class TestWrittenHistories:
    def test_tells_what_a_step_was_given_and_what_it_answered(self) -> None:
        history = WrittenHistory()
        history.add("ExecutionStarted")
        history.enter("Greet")
        history.attempt()
        history.add("ExecutionSucceeded", output="{}")

        [step] = read_history(history.events)

        assert step.as_dict() == {
            "status": "completed",
            "state": "Greet",
            "step": "greet",
            "input": {"name": "Ada"},
            "output": {"said": "hello"},
            "attempts": [{"started_at": at(3), "ended_at": at(5), "error": None}],
        }

    def test_tells_each_attempt_and_why_it_failed(self) -> None:
        history = WrittenHistory()
        history.enter("Greet")
        history.attempt("TaskFailed", error="ConnectionError", cause='{"errorMessage": "away", "errorType": "x"}')
        history.attempt("TaskTimedOut", error="States.Timeout")
        history.attempt()

        [step] = read_history(history.events)

        assert step.status == "completed"
        assert [attempt.error for attempt in step.attempts] == [
            {"type": "ConnectionError", "message": "away"},
            {"type": "States.Timeout", "message": ""},
            None,
        ]

    def test_a_step_has_failed_when_its_last_attempt_has(self) -> None:
        history = WrittenHistory()
        history.enter("Greet")
        history.attempt("TaskFailed", error="Lambda.TooManyRequestsException", cause="Rate exceeded")

        [step] = read_history(history.events)

        assert (step.status, step.output) == ("failed", None)
        assert step.attempts[0].error == {"type": "Lambda.TooManyRequestsException", "message": "Rate exceeded"}

    def test_a_step_runs_while_its_last_attempt_has_no_end(self) -> None:
        history = WrittenHistory()
        history.enter("Greet")
        history.add("TaskScheduled", parameters=CALL)
        history.add("TaskStarted")

        [step] = read_history(history.events)

        assert (step.status, step.attempts[0].ended_at) == ("running", None)

    def test_reads_a_plain_lambda_task_too(self) -> None:
        history = WrittenHistory()
        history.enter("Greet")
        history.add("LambdaFunctionScheduled", input='{"step": "greet", "input": {"name": "Ada"}}', resource="arn")
        history.add("LambdaFunctionStarted")
        history.add("LambdaFunctionSucceeded", output='{"said": "hello"}')

        [step] = read_history(history.events)

        assert (step.step, step.input, step.output) == ("greet", {"name": "Ada"}, {"said": "hello"})

    def test_names_a_step_after_its_state_where_the_call_does_not(self) -> None:
        history = WrittenHistory()
        history.enter("SendMail")
        history.add("TaskScheduled", parameters="no JSON")
        history.add("TaskSucceeded", output="no JSON either")

        [step] = read_history(history.events)

        assert (step.state, step.step, step.input, step.output) == ("SendMail", "SendMail", None, "no JSON either")

    def test_keeps_branches_apart_whose_events_alternate(self) -> None:
        history = WrittenHistory()
        parallel = history.add("ParallelStateStarted")
        left, right = history.enter("Left", parallel), history.enter("Right", parallel)
        left = history.add("TaskScheduled", left, parameters=CALL)
        right = history.add("TaskScheduled", right, parameters=CALL)
        history.add("TaskFailed", right, error="ValueError", cause="no")
        history.add("TaskSucceeded", left, output=ANSWER)

        assert [(step.state, step.status) for step in read_history(history.events)] == [
            ("Left", "completed"),
            ("Right", "failed"),
        ]

    def test_has_no_steps_before_the_first(self) -> None:
        history = WrittenHistory()
        history.add("ExecutionStarted", input="{}")

        assert read_history(history.events) == []
        assert read_history([]) == []

    def test_tolerates_a_history_whose_beginning_is_missing(self) -> None:
        history = WrittenHistory()
        history.enter("Greet")
        history.attempt()

        assert read_history(history.events[1:]) == []

    @given(outcomes=st.lists(st.sampled_from(["TaskSucceeded", "TaskFailed", "TaskTimedOut"]), min_size=1, max_size=9))
    def test_counts_what_the_history_counts(self, outcomes: list[str]) -> None:
        history = WrittenHistory()
        entered = 0
        for number, outcome in enumerate(outcomes):
            if number == 0 or outcomes[number - 1] == "TaskSucceeded":
                history.enter(f"State{entered}")
                entered += 1
            history.attempt(outcome, error="E", cause="c", output=ANSWER)

        steps = read_history(history.events)

        assert [step.state for step in steps] == [f"State{number}" for number in range(entered)]
        errors = [attempt.error is None for step in steps for attempt in step.attempts]
        assert errors == [outcome == "TaskSucceeded" for outcome in outcomes]


def failing_first(times: int) -> Any:
    """A function that answers the payload's number doubled, once it was called `times` times in vain."""
    calls = iter(range(times))

    def call(event: Any) -> Any:
        if next(calls, None) is not None:
            return Invocation(b'{"errorType": "ConnectionError", "errorMessage": "away"}', "Unhandled")
        return {"doubled": event["input"]["number"] * 2}

    return call


def payload(number: Any) -> dict[str, Any]:
    return {"step": "double", "input": {"number": number}}


RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]


class TestRecordedHistories:
    """The history format is what the executor writes, not what we think that it writes."""

    def steps(self, machines: Machines, states: dict[str, Any]) -> list[StepRun]:
        return steps_of(machines.client, machines.run(states)["executionArn"])

    def test_a_step_that_succeeds_at_its_second_attempt(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(1)

        [step] = self.steps(machines, {"Double": task(payload=payload(4), Retry=RETRY)})

        assert (step.state, step.step, step.status) == ("Double", "double", "completed")
        assert (step.input, step.output) == ({"number": 4}, {"doubled": 8})
        assert [attempt.error for attempt in step.attempts] == [{"type": "ConnectionError", "message": "away"}, None]
        assert all(attempt.ended_at and attempt.started_at <= attempt.ended_at for attempt in step.attempts)

    def test_a_step_that_fails_for_good(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(9)

        [step] = self.steps(machines, {"Double": task(payload=payload(4), Retry=RETRY)})

        assert (step.status, len(step.attempts), step.output) == ("failed", 3, None)

    def test_a_step_that_takes_too_long(self, machines: Machines) -> None:
        release = threading.Event()
        machines.functions.by_name["work"] = lambda _: release.wait(10) and None

        try:
            [step] = self.steps(machines, {"Double": task(payload=payload(4), TimeoutSeconds=1)})
        finally:
            release.set()

        assert step.status == "failed"
        assert [attempt.error and attempt.error["type"] for attempt in step.attempts] == ["States.Timeout"]

    def test_steps_one_after_the_other(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(0)

        steps = self.steps(machines, {"One": task(payload=payload(1), Next="Two"), "Two": task(payload=payload(2))})

        assert [(step.state, step.output) for step in steps] == [("One", {"doubled": 2}), ("Two", {"doubled": 4})]

    def test_a_step_that_a_loop_passes_again(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(0)
        states = {
            "Begin": {"Type": "Pass", "Assign": {"number": 1}, "Next": "Double"},
            "Double": task(
                payload=payload("{% $number %}"),
                Assign={"number": "{% $states.result.Payload.doubled %}"},
                Next="Enough",
            ),
            "Enough": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $number < 8 %}", "Next": "Double"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
        }

        steps = self.steps(machines, states)

        assert [step.input["number"] for step in steps] == [1, 2, 4]
        assert {step.state for step in steps} == {"Double"}

    def test_branches_side_by_side(self, machines: Machines) -> None:
        together = threading.Barrier(2)

        def call(event: Any) -> Any:
            together.wait(10)
            return {"doubled": event["input"]["number"] * 2}

        machines.functions.by_name["work"] = call
        branches = [
            {"StartAt": name, "States": {name: task(payload=payload(number))}}
            for name, number in (("Left", 1), ("Right", 2))
        ]

        steps = self.steps(machines, {"Both": {"Type": "Parallel", "Branches": branches, "End": True}})

        found = {step.state: (step.input, step.output, step.status) for step in steps}
        assert found == {
            "Left": ({"number": 1}, {"doubled": 2}, "completed"),
            "Right": ({"number": 2}, {"doubled": 4}, "completed"),
        }

    def test_each_iteration_of_a_map(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(0)
        each = {
            "Type": "Map",
            "Items": [1, 2, 3, 4, 5],
            "MaxConcurrency": 3,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "INLINE"},
                "StartAt": "Double",
                "States": {"Double": task(payload=payload("{% $states.input %}"))},
            },
            "End": True,
        }

        steps = self.steps(machines, {"Each": each})

        assert {step.input["number"]: step.output for step in steps} == {n: {"doubled": n * 2} for n in range(1, 6)}
        assert [len(step.attempts) for step in steps] == [1] * 5

    def test_a_step_that_still_runs(self, machines: Machines) -> None:
        entered, release = threading.Event(), threading.Event()

        def call(_: Any) -> None:
            entered.set()
            release.wait(10)

        machines.functions.by_name["work"] = call
        arn = machines.start(machines.create({"Double": task(payload=payload(4))}))

        try:
            assert entered.wait(10)
            [step] = steps_of(machines.client, arn)
        finally:
            release.set()
        machines.finish(arn)

        assert (step.state, step.step, step.status) == ("Double", "double", "running")

    def test_more_events_than_a_page_holds(self, machines: Machines) -> None:
        machines.functions.by_name["work"] = failing_first(0)
        names = [f"S{number}" for number in range(30)]
        states = {
            name: task(payload=payload(number), **({"Next": names[number + 1]} if number < 29 else {}))
            for number, name in enumerate(names)
        }

        assert [step.state for step in self.steps(machines, states)] == names

    def test_an_execution_that_there_is_not(self, machines: Machines) -> None:
        machine = machines.create({"Double": task()})
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:never"

        assert steps_of(machines.client, arn) == []
