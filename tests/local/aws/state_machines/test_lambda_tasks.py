"""Task states call functions and report their errors as Lambda's integration does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.invocation import Invocation
from local.aws.state_machines import LambdaRefusedError
from tests.local.aws.state_machines.machines import task

if TYPE_CHECKING:
    from tests.local.aws.state_machines.machines import Machines

FUNCTION_ARN = "arn:aws:lambda:us-east-1:123456789012:function:work"


def raised(error_type: str, message: str) -> Invocation:
    document = {"errorMessage": message, "errorType": error_type, "stackTrace": ['File "x.py", line 1']}
    return Invocation(payload=json.dumps(document).encode(), function_error="Unhandled")


def test_a_function_gets_its_payload_and_answers(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda event: {"twice": event["n"] * 2, "text": 'ü"'}

    output = machines.output({"Work": task(payload={"n": "{% $states.input.n %}"})}, {"n": 4})

    assert machines.functions.calls == [("work", {"n": 4})]
    assert output["Payload"] == {"twice": 8, "text": 'ü"'}
    assert (output["StatusCode"], output["ExecutedVersion"]) == (200, "$LATEST")
    assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert output["SdkResponseMetadata"]["RequestId"]


def test_a_function_arn_as_resource_answers_the_payload_only(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda event: event["n"] + 1
    state = {"Type": "Task", "Resource": FUNCTION_ARN, "Arguments": {"n": 1}, "End": True}

    assert machines.output({"Work": state}) == 2


@pytest.mark.parametrize("resource", ["arn:aws:states:::lambda:invoke", FUNCTION_ARN])
def test_an_error_has_its_type_as_name_and_its_document_as_cause(machines: Machines, resource: str) -> None:
    failure = raised("NonRetryableError", 'no "more"')
    machines.functions.by_name["work"] = lambda _: failure

    described = machines.run({"Work": task(Resource=resource)} if resource != FUNCTION_ARN else {"Work": direct()})

    assert (described["status"], described["error"]) == ("FAILED", "NonRetryableError")
    assert json.loads(described["cause"]) == json.loads(failure.payload)


def direct(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": FUNCTION_ARN, "Arguments": {}, "End": True, **more}


@pytest.mark.parametrize("work", [task(), direct()], ids=["integration", "arn"])
def test_lambdas_own_errors_have_lambdas_names(machines: Machines, work: dict[str, Any]) -> None:
    def throttle(_: Any) -> Any:
        raise LambdaRefusedError("TooManyRequestsException", "Rate Exceeded.", 429)

    machines.functions.by_name["work"] = throttle
    throttled = machines.run({"Work": work})
    machines.functions.by_name.clear()
    absent = machines.run({"Work": work})

    assert throttled["error"] == "Lambda.TooManyRequestsException"
    assert "Rate Exceeded." in throttled["cause"]
    assert "Status Code: 429" in throttled["cause"]
    assert absent["error"] == "Lambda.ResourceNotFoundException"


def test_an_error_without_a_type_is_unknown(machines: Machines) -> None:
    machines.functions.by_name["work"] = lambda _: Invocation(payload=b"null", function_error="Unhandled")

    assert machines.run({"Work": task()})["error"] == "Lambda.Unknown"


def test_a_fault_of_the_service_is_its_own_error(machines: Machines) -> None:
    def fault(_: Any) -> Any:
        raise RuntimeError("the worker's socket closed")

    machines.functions.by_name["work"] = fault
    described = machines.run({"Work": task()})

    assert described["error"] == "Lambda.ServiceException"
    assert "the worker's socket closed" in described["cause"]


def test_the_history_tells_each_attempt(machines: Machines) -> None:
    answers = iter([raised("ValueError", "once"), Invocation(payload=b'"done"')])
    machines.functions.by_name["work"] = lambda _: next(answers)
    retry = [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}]

    described = machines.run({"Work": task(Retry=retry)})

    events = machines.history(described["executionArn"])
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["previousEventId"] < event["id"] for event in events)
    assert events[1]["stateEnteredEventDetails"]["name"] == "Work"
    assert events[2]["taskScheduledEventDetails"]["resourceType"] == "lambda"
    assert events[4]["taskFailedEventDetails"]["error"] == "ValueError"
    assert json.loads(events[4]["taskFailedEventDetails"]["cause"])["errorMessage"] == "once"
