"""Whole workflows in the dialect that the functions use, and what a second install changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.aws.invocation import Invocation
from local.aws.state_machines import install
from local.aws.time_scale import TimeScale
from tests.local.aws.state_machines.machines import Bus, Functions, task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

PAGES = {
    "Begin": {
        "Type": "Pass",
        "Assign": {
            "run": "{% $states.context.Execution.Name %}",
            "event": "{% $states.input.event %}",
            "cursor": None,
            "sent": 0,
        },
        "Next": "SendPage",
    },
    "SendPage": task(
        payload={
            "run": "{% $run %}",
            "attempt": "{% $states.context.State.RetryCount %}",
            "input": {"event": "{% $event %}", "cursor": "{% $cursor %}"},
        },
        TimeoutSeconds=60,
        Assign={"cursor": "{% $states.result.Payload.cursor %}", "sent": "{% $sent + $states.result.Payload.sent %}"},
        Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 4, "JitterStrategy": "FULL"}],
        Next="MorePages",
    ),
    "MorePages": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $cursor != null %}", "Next": "SendPage"}],
        "Default": "Done",
    },
    "Done": {"Type": "Succeed", "Output": {"sent": "{% $sent %}"}},
}

WAIT_AS_TOLD = {
    "Begin": {"Type": "Pass", "Assign": {"deadline": "{% $millis() + 600000 %}", "waits": 0}, "Next": "Execute"},
    "Execute": task(
        payload={"attempt": "{% $states.context.State.RetryCount + $waits %}"},
        TimeoutSeconds="{% $max([1, $ceil(($deadline - $millis()) / 1000)]) %}",
        Retry=[
            {"ErrorEquals": ["NonRetryableError", "RetryAfter"], "MaxAttempts": 0},
            {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 3},
        ],
        Catch=[
            {
                "ErrorEquals": ["RetryAfter"],
                "Assign": {
                    "wait": "{% $parse($parse($states.errorOutput.Cause).errorMessage).seconds %}",
                    "waits": "{% $waits + 1 %}",
                },
                "Next": "MayWait",
            }
        ],
        Assign={"result": "{% $states.result.Payload %}"},
        Next="Done",
    ),
    "MayWait": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $waits <= 2 and $millis() + 1000 * $wait < $deadline %}", "Next": "WaitAsTold"}],
        "Default": "GiveUp",
    },
    "WaitAsTold": {"Type": "Wait", "Seconds": "{% $wait %}", "Next": "Execute"},
    "GiveUp": {
        "Type": "Fail",
        "Error": "RetryAfter",
        "Cause": '{% "told to wait " & $string($wait) & " s, " & $string($waits) & " times" %}',
    },
    "Done": {"Type": "Succeed", "Output": "{% $result %}"},
}


def retry_after(seconds: int) -> Invocation:
    document = {"errorMessage": json.dumps({"seconds": seconds}), "errorType": "RetryAfter"}
    return Invocation(payload=json.dumps(document).encode(), function_error="Unhandled")


def test_pages_are_sent_until_the_cursor_is_null(machines: Machines) -> None:
    def send(event: Any) -> Any:
        page = event["input"]["cursor"] or 0
        if page == 1 and event["attempt"] == 0:
            raise ConnectionError("the second page fails once")
        return {"sent": 10, "cursor": page + 1 if page < 3 else None}

    machines.functions.by_name["work"] = send

    described = machines.run(PAGES, {"event": {"at": '05:00 "Lisbon"'}}, TimeoutSeconds=3600)

    assert (described["status"], json.loads(described["output"])) == ("SUCCEEDED", {"sent": 40})
    seen = [(event["input"]["cursor"], event["attempt"]) for _, event in machines.functions.calls]
    assert seen == [(None, 0), (1, 0), (1, 1), (2, 0), (3, 0)]
    assert {event["run"] for _, event in machines.functions.calls} == {described["name"]}
    assert {event["input"]["event"]["at"] for _, event in machines.functions.calls} == {'05:00 "Lisbon"'}


def test_a_step_is_tried_again_after_the_wait_that_it_asked_for(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda event: {"ok": 1} if event["attempt"] else retry_after(1)

    described = machines.run(WAIT_AS_TOLD)

    assert json.loads(described["output"]) == {"ok": 1}
    assert machines.history_types(described["executionArn"]).count("WaitStateEntered") == 1


def test_a_step_that_asks_for_waits_without_end_gives_up(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: retry_after(0)

    described = machines.run(WAIT_AS_TOLD)

    assert (described["error"], described["cause"]) == ("RetryAfter", "told to wait 0 s, 3 times")
    assert len(machines.functions.calls) == 3


def test_a_second_install_takes_the_place_of_the_first(machines: Machines) -> None:
    later, bus = Functions(), Bus()
    later.by_name["work"] = lambda _: "later"
    machines.functions.by_name["work"] = lambda _: "earlier"

    install(invoke=later, publish=bus, time_scale=TimeScale())
    described = machines.run({"Work": task(Output="{% $states.result.Payload %}")})

    assert described["output"] == '"later"'
    bus.wait_for(described["executionArn"], "SUCCEEDED")
    assert (machines.functions.calls, machines.bus.events) == ([], [])
