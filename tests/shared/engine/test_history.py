from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from local.aws.invocation import Invocation
from shared.engine.history import FailingStep, History, failing_step
from tests.histories import ANSWER, CALL, WrittenHistory
from tests.local.aws.state_machines.conftest import bus as bus
from tests.local.aws.state_machines.conftest import client as client
from tests.local.aws.state_machines.conftest import endpoint as endpoint
from tests.local.aws.state_machines.conftest import functions as functions
from tests.local.aws.state_machines.conftest import machines as machines
from tests.local.aws.state_machines.machines import Machines, task

RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
KILLED = "RequestId: 8f5a Error: Runtime exited with error: signal: killed"


def failing(error: str, message: str) -> Any:
    document = json.dumps({"errorMessage": message, "errorType": error, "stackTrace": ["line 1"]}).encode()
    return lambda _: Invocation(document, "Unhandled")


def step(name: str, function: str = "fine", **more: Any) -> dict[str, Any]:
    return task(function, payload={"step": name, "run": "r", "attempt": 0, "input": {}}, **more)


def parallel(*branches: dict[str, Any], **more: Any) -> dict[str, Any]:
    starts = [{"StartAt": next(iter(branch)), "States": branch} for branch in branches]
    return {"Type": "Parallel", "Branches": starts, **({} if "Next" in more else {"End": True}), **more}


def each(items: Any, states: dict[str, Any], **more: Any) -> dict[str, Any]:
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": next(iter(states)), "States": states}
    end = {} if "Next" in more else {"End": True}
    return {"Type": "Map", "Items": items, "ItemProcessor": processor, **end, **more}


FIRST = {"PrepareWork": step("prepare_work", Next="DoWork")}
WAIT = {"Type": "Wait", "Seconds": 100, "End": True}
CAUGHT = [{"ErrorEquals": ["States.ALL"], "Next": "GiveUp"}]
GIVE_UP = {"Type": "Fail", "Error": "GaveUp", "Cause": "after all"}
LARGE = "{% $pad('x', 300000, 'x') %}"

ENDS: dict[str, tuple[dict[str, Any], FailingStep]] = {
    "last-failure": (
        FIRST | {"DoWork": step("do_work", "bad", Retry=RETRY)},
        FailingStep("DoWork", "do_work", 3, "ValueError", "boom"),
    ),
    "non-retryable": (
        FIRST
        | {"DoWork": step("do_work", "refuses", Retry=[{"ErrorEquals": ["NonRetryableError"], "MaxAttempts": 0}])},
        FailingStep("DoWork", "do_work", 1, "NonRetryableError", "LostError: never"),
    ),
    "dead-worker": (
        FIRST | {"DoWork": step("do_work", "dies")},
        FailingStep("DoWork", "do_work", 1, "Runtime.ExitError", KILLED),
    ),
    "absent-function": (
        {"DoWork": step("do_work", "absent")},
        FailingStep("DoWork", "do_work", 1, "Lambda.ResourceNotFoundException", "Function not found: absent"),
    ),
    "result-too-large": (
        FIRST | {"DoWork": step("do_work", "talkative", Retry=RETRY)},
        FailingStep("DoWork", "do_work", 1, "States.DataLimitExceeded", "The state/task 'lambda' returned a result"),
    ),
    "value-too-large": (
        FIRST | {"DoWork": {"Type": "Pass", "Output": LARGE, "End": True}},
        FailingStep("DoWork", "DoWork", 0, "States.DataLimitExceeded", "The state/task 'DoWork' returned a result"),
    ),
    "bad-expression": (
        FIRST | {"DoWork": {"Type": "Pass", "Output": "{% $nothing %}", "End": True}},
        FailingStep(
            "DoWork", "DoWork", 0, "States.QueryEvaluationError", "An error occurred while executing the state"
        ),
    ),
    "bad-arguments": (
        FIRST | {"DoWork": task(payload={"step": "do_work", "input": "{% $nothing %}"})},
        FailingStep(
            "DoWork", "DoWork", 0, "States.QueryEvaluationError", "An error occurred while executing the state"
        ),
    ),
    "no-boolean": (
        FIRST
        | {
            "DoWork": {"Type": "Choice", "Choices": [{"Condition": "{% 'x' %}", "Next": "End"}], "Default": "End"},
            "End": {"Type": "Succeed"},
        },
        FailingStep(
            "DoWork", "DoWork", 0, "States.QueryEvaluationError", "An error occurred while executing the state"
        ),
    ),
    "fail-state": (
        {"DoWork": step("do_work", "bad", Catch=CAUGHT), "GiveUp": GIVE_UP},
        FailingStep("GiveUp", "GiveUp", 0, "GaveUp", "after all"),
    ),
    "fail-state-that-repeats-the-error": (
        {
            "DoWork": step("do_work", "bad", Catch=[{"ErrorEquals": ["ValueError"], "Next": "CleanUp"}]),
            "CleanUp": step("clean_up", Next="GiveUp"),
            "GiveUp": {"Type": "Fail", "Error": "ValueError", "Cause": "boom"},
        },
        FailingStep("DoWork", "do_work", 1, "ValueError", "boom"),
    ),
    "in-a-branch": (
        {
            "Both": parallel(
                {"Rest": step("rest", Next="Sleep"), "Sleep": WAIT},
                {"PrepareWork": step("prepare_work", Next="DoWork"), "DoWork": step("do_work", "bad")},
            )
        },
        FailingStep("DoWork", "do_work", 1, "ValueError", "boom"),
    ),
    "fail-state-in-a-branch": (
        {"Both": parallel({"Sleep": WAIT}, {"GiveUp": GIVE_UP})},
        FailingStep("GiveUp", "GiveUp", 0, "GaveUp", "after all"),
    ),
    "in-an-iteration": (
        {"Every": each([1, 2, 3], {"DoWork": step("do_work", "bad", Retry=RETRY)})},
        FailingStep("DoWork", "do_work", 3, "ValueError", "boom"),
    ),
    "in-a-branch-of-an-iteration": (
        {"Every": each([1, 2], {"Both": parallel({"Sleep": WAIT}, {"DoWork": step("do_work", "bad")})})},
        FailingStep("DoWork", "do_work", 1, "ValueError", "boom"),
    ),
    "in-an-iteration-begun-again": (
        {"Every": each([1], {"DoWork": step("do_work", "bad")}, Retry=RETRY)},
        FailingStep("DoWork", "do_work", 1, "ValueError", "boom"),
    ),
    "after-a-caught-iteration": (
        {"Every": each([1, 2], {"Try": step("try", "bad")}, Catch=CAUGHT), "GiveUp": GIVE_UP},
        FailingStep("GiveUp", "GiveUp", 0, "GaveUp", "after all"),
    ),
    "a-map-of-nothing-that-is-a-list": (
        FIRST | {"DoWork": each("{% 'no list' %}", {"Inner": step("inner")})},
        FailingStep("DoWork", "DoWork", 0, "States.QueryEvaluationError", ""),
    ),
    "a-map-whose-output-is-wrong": (
        {"DoWork": each([1, 2], {"Inner": step("inner")}, Output="{% $nothing %}")},
        FailingStep(
            "DoWork", "DoWork", 0, "States.QueryEvaluationError", "An error occurred while executing the state"
        ),
    ),
}


@pytest.fixture
def work(machines: Machines) -> Machines:
    machines.functions.by_name |= {
        "fine": lambda _: {"done": True},
        "bad": failing("ValueError", "boom"),
        "refuses": failing("NonRetryableError", "LostError: never"),
        "dies": failing("Runtime.ExitError", KILLED),
        "talkative": lambda _: "x" * 300_000,
    }
    return machines


@pytest.mark.parametrize("end", ENDS)
def test_names_the_step_of_a_failed_execution(work: Machines, end: str) -> None:
    states, expected = ENDS[end]

    described = work.run(states)
    found = failing_step(work.client, described["executionArn"])

    assert described["status"] == "FAILED"
    assert found is not None
    assert (found.state, found.step, found.attempts, found.error) == (
        expected.state,
        expected.step,
        expected.attempts,
        expected.error,
    )
    assert found.message.startswith(expected.message)


class Hanging:
    """A function that does not return before the test does."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def __call__(self, _: Any) -> None:
        self.entered.set()
        self.released.wait(30)


@pytest.fixture
def hanging(work: Machines) -> Any:
    work.functions.by_name["hangs"] = hanging = Hanging()
    yield hanging
    hanging.released.set()


@pytest.mark.usefixtures("hanging")
def test_names_a_step_that_took_too_long(work: Machines) -> None:
    described = work.run(FIRST | {"DoWork": step("do_work", "hangs", TimeoutSeconds=1)})

    assert failing_step(work.client, described["executionArn"]) == FailingStep(
        "DoWork", "do_work", 1, "States.Timeout", ""
    )


INTERRUPTED = {
    "call": ({"DoWork": step("do_work", "hangs")}, ("DoWork", "do_work", 1)),
    "pause": ({"DoWork": WAIT}, ("DoWork", "DoWork", 0)),
    "retry": (
        {"DoWork": step("do_work", "bad", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 9000}])},
        ("DoWork", "do_work", 1),
    ),
    "call-beside-pauses": (
        {"DoWork": parallel({"Sleep": WAIT}, {"Work": step("work", "hangs")}, {"Doze": WAIT})},
        ("Work", "work", 1),
    ),
    "second-iteration": (
        {
            "DoWork": each(
                [1, 2],
                {"Inner": step("inner", Next="Work"), "Work": step("work", "hangs")},
                MaxConcurrency=1,
            )
        },
        ("Work", "work", 1),
    ),
}


@pytest.mark.usefixtures("hanging")
@pytest.mark.parametrize("what", INTERRUPTED)
def test_names_the_step_in_which_the_execution_was_timed_out(work: Machines, what: str) -> None:
    states, expected = INTERRUPTED[what]

    described = work.run(FIRST | states, TimeoutSeconds=1)
    found = failing_step(work.client, described["executionArn"])

    assert described["status"] == "TIMED_OUT"
    assert found == FailingStep(*expected, "States.Timeout", "")


@pytest.mark.parametrize("reason", [{}, {"error": "Enough", "cause": "the theatre burns"}], ids=["bare", "told"])
def test_names_the_step_in_which_the_execution_was_stopped(
    work: Machines, hanging: Hanging, reason: dict[str, str]
) -> None:
    arn = work.start(work.create(FIRST | {"DoWork": step("do_work", "hangs")}))
    assert hanging.entered.wait(10)

    work.client.stop_execution(executionArn=arn, **reason)

    assert failing_step(work.client, arn) == FailingStep(
        "DoWork", "do_work", 1, reason.get("error", "ExecutionAborted"), reason.get("cause", "")
    )


def test_names_the_step_of_a_history_of_many_pages(work: Machines) -> None:
    states = FIRST | {
        "DoWork": each("{% [1..200] %}", {"Inner": step("inner")}, MaxConcurrency=10, Next="Last"),
        "Last": step("last", "bad"),
    }

    described = work.run(states)

    assert failing_step(work.client, described["executionArn"]) == FailingStep("Last", "last", 1, "ValueError", "boom")


def test_has_nothing_to_name_where_nothing_failed(work: Machines, hanging: Hanging) -> None:
    succeeded = work.run({"DoWork": step("do_work")})["executionArn"]
    running = work.start(work.create({"DoWork": step("do_work", "hangs")}))
    assert hanging.entered.wait(10)

    assert failing_step(work.client, succeeded) is None
    assert failing_step(work.client, running) is None
    assert failing_step(work.client, f"{succeeded}-never") is None
    work.client.stop_execution(executionArn=running)


class TestOtherHistories:
    """What the local service never writes, but AWS may: missing links, aborted neighbours, redrives."""

    def test_finds_the_step_without_the_ends_link(self) -> None:
        history = WrittenHistory()
        history.add("ExecutionStarted")
        history.enter("First", 0)
        history.attempt()
        history.leave("First")
        history.enter("Greet")
        history.attempt("TaskFailed", error="ValueError", cause="no")
        history.add("ExecutionFailed", after=0, error="ValueError", cause="no")

        assert History(history.events).failing() == FailingStep("Greet", "greet", 1, "ValueError", "no")

    def test_tells_the_branch_that_ended_the_execution_from_one_that_is_tried_again(self) -> None:
        history = WrittenHistory()
        history.enter("Both", 0, kind="Parallel")
        started = history.add("ParallelStateStarted")
        left, right = history.enter("Left", started), history.enter("Right", started)
        for branch, error in ((left, "ValueError"), (right, "OSError")):
            history.add("TaskScheduled", after=branch, parameters=CALL)
            history.add("TaskFailed", error=error, cause="no")
        history.add("TaskStateAborted", after=right)
        history.add("ParallelStateFailed", after=started)
        history.add("ExecutionFailed", error="ValueError", cause="no")

        found = History(history.events).failing()

        assert found == FailingStep("Left", "greet", 1, "ValueError", "no")

    def test_a_redriven_execution_has_not_ended(self) -> None:
        history = self.redriven()

        assert History(history.events).failing() is None

    @pytest.mark.parametrize("link", [0, None], ids=["unlinked", "linked"])
    def test_names_the_step_in_which_a_redriven_execution_ended_again(self, link: int | None) -> None:
        history = self.redriven(link)
        history.add("TaskScheduled", parameters=CALL)
        history.add("TaskSucceeded", output=ANSWER)
        history.leave("Greet")
        history.enter("Last")
        history.add("ExecutionTimedOut", after=0)

        assert History(history.events).failing() == FailingStep("Last", "Last", 0, "States.Timeout", "")

    def test_keeps_a_cause_that_is_no_error_document(self) -> None:
        causes = {"plain": "plain", '{"a": 1}': '{"a": 1}', '{"errorMessage": null}': "", "": "", "[]": "[]"}

        for cause, message in causes.items():
            history = WrittenHistory()
            history.enter("Greet", 0)
            history.add("ExecutionFailed", error="E", cause=cause)

            assert History(history.events).failing() == FailingStep("Greet", "Greet", 0, "E", message)

    def test_between_two_states_it_ended_in_the_first(self) -> None:
        history = WrittenHistory()
        history.enter("First", 0)
        history.leave("First")
        history.enter("Second")
        history.leave("Second")
        history.add("ExecutionFailed", error="States.Runtime", cause="full")

        assert History(history.events).failing() == FailingStep("Second", "Second", 0, "States.Runtime", "full")

    def test_an_execution_stopped_before_its_first_state_ended_in_none(self) -> None:
        history = WrittenHistory()
        history.add("ExecutionStarted")
        history.add("ExecutionAborted", after=0)

        assert History(history.events).failing() is None
        assert History([]).failing() is None

    @staticmethod
    def redriven(link: int | None = None) -> WrittenHistory:
        history = WrittenHistory()
        history.add("ExecutionStarted")
        history.enter("Greet", 0)
        history.attempt("TaskFailed", error="ValueError", cause="no")
        history.add("ExecutionFailed", error="ValueError", cause="no")
        history.add("ExecutionRedriven", after=link, redriveCount=1)
        return history
