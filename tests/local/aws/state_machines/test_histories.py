"""A history ends with its execution, and is never longer than AWS lets it be."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.invocation import Invocation
from local.aws.state_machines.histories import HISTORY_LIMIT, LIMIT_CAUSE, continued, written
from shared.engine.history import History
from tests.local.aws.state_machines.machines import task
from tests.local.aws.state_machines.test_runs import environment_of

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

PASS: dict[str, Any] = {"Type": "Pass"}


class Slow:
    """A function that fails at once for the first item, and for the others once it may."""

    def __init__(self, others: int) -> None:
        self.together = threading.Barrier(others + 1)
        self.released = threading.Event()
        self.done = threading.Semaphore(0)

    def __call__(self, event: Any) -> Invocation:
        self.together.wait(10)
        if event["item"] != 0:
            self.released.wait(10)
        self.done.release()
        return Invocation(b'{"errorType": "ValueError", "errorMessage": "no"}', "Unhandled")


def test_nothing_is_written_behind_the_end(machines: Machines) -> None:
    machines.functions.by_name["work"] = slow = Slow(others=4)
    work = task(payload={"item": "{% $states.input %}"})
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Work", "States": {"Work": work}}

    arn = machines.run({"Each": {"Type": "Map", "Items": [0, 1, 2, 3, 4], "ItemProcessor": processor, "End": True}})[
        "executionArn"
    ]
    slow.released.set()
    for _ in range(5):
        slow.done.acquire(timeout=10)

    threads = [each for each in threading.enumerate() if each.name.startswith("state-attempt")]
    for each in threads:
        each.join(10)
    types = machines.history_types(arn)
    assert types[-1] == "ExecutionFailed"
    assert types.index("MapIterationFailed") < types.index("MapStateFailed")


def test_an_event_that_comes_late_is_not_written(machines: Machines) -> None:
    env = environment_of(machines.run({"Only": PASS | {"End": True}})["executionArn"])
    before = written(env.event_manager)

    number = env.event_manager.add_event(context=env.event_history_context, event_type="TaskFailed")

    assert number == 0
    assert written(env.event_manager) == before


def loop(passes: int) -> dict[str, Any]:
    """A machine of four events a pass."""
    return {
        "Begin": PASS | {"Assign": {"n": 1}, "Next": "Enough"},
        "Enough": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $n < " + str(passes) + " %}", "Next": "Count"}],
            "Default": "Done",
        },
        "Count": PASS | {"Assign": {"n": "{% $n + 1 %}"}, "Next": "Enough"},
        "Done": {"Type": "Succeed"},
    }


def test_an_execution_of_too_many_events_fails(machines: Machines) -> None:
    described = machines.finish(machines.start(machines.create(loop(1_000_000))), seconds=60)
    arn = described["executionArn"]

    [last] = machines.client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=1)["events"]
    events = written(environment_of(arn).event_manager)
    found = History(events).failing()

    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "States.Runtime", LIMIT_CAUSE)
    assert (last["type"], last["id"], last["previousEventId"]) == ("ExecutionFailed", 25_000, 24_999)
    assert [event["id"] for event in events] == list(range(1, HISTORY_LIMIT + 1))
    assert found is not None
    assert (found.state in ("Enough", "Count"), found.error) == (True, "States.Runtime")


@pytest.mark.parametrize("type_", ["ExecutionSucceeded", "ExecutionAborted"])
def test_the_last_event_that_fits_may_be_the_end(machines: Machines, type_: str) -> None:
    env = environment_of(machines.run({"Only": PASS | {"End": True}})["executionArn"])
    events = continued(env.event_manager, env)
    filling = {**events._history_event_list[0], "type": "PassStateEntered"}
    events._history_event_list[:] = [filling] * (HISTORY_LIMIT - 1)

    events.add_event(context=env.event_history_context, event_type=type_)

    assert len(written(events)) == HISTORY_LIMIT
    assert written(events)[-1]["type"] == type_
