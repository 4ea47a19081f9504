"""State machines against the steps that they call."""

import re
from collections.abc import Iterator
from typing import Any, Final

import botocore.session

import shared.engine.errors
from local.template.document import read_document
from shared.engine import Workflow
from tests.conventions.house import Deployed, house
from tests.conventions.retry_loops import flows, followers, is_step_call

# https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
STATES_ERRORS: Final = {
    "States.ALL",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
}
# Those of the SDK that Step Functions calls Lambda with; the service's own are in its model.
LAMBDA_CLIENT_ERRORS: Final = {"AWSLambdaException", "ClientExecutionTimeoutException", "SdkClientException", "Unknown"}


def machines() -> list[tuple[Deployed, dict[str, Any]]]:
    """Return each workflow with its machine's definition as the ASL file has it."""
    files = dict(house().machine_files())
    return [(each, read_document(files[each.machine.logical_id])) for each in house().functions if each.machine]


def states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for flow in flows(machine):
        yield from flow["States"].items()


def step_calls(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the payload of each state that calls the function."""
    for name, state in states(machine):
        if is_step_call(state):
            yield name, state["Arguments"]["Payload"]


def handlers(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each Retry and Catch entry with its state's name."""
    for name, state in states(machine):
        for handler in [*state.get("Retry", []), *state.get("Catch", [])]:
            yield name, handler


def real_errors() -> set[str]:
    model = botocore.session.get_session().get_service_model("lambda")
    service = {name for name in model.shape_names if model.shape_for(name).metadata.get("exception")}
    engine = {name for name, each in vars(shared.engine.errors).items() if _is_error(each)}
    return STATES_ERRORS | {f"Lambda.{name}" for name in service | LAMBDA_CLIENT_ERRORS} | engine


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def test_a_function_has_a_state_machine_just_when_it_is_a_workflow() -> None:
    wrong = [each.id for each in house().functions if isinstance(each.definition, Workflow) != bool(each.machine)]

    assert wrong == []


def test_every_machine_is_written_in_jsonata_and_has_a_time_limit() -> None:
    wrong = [
        each.id
        for each, machine in machines()
        if machine.get("QueryLanguage") != "JSONata" or not machine.get("TimeoutSeconds")
    ]

    assert wrong == []


def test_machines_and_functions_call_the_same_steps() -> None:
    for each, machine in machines():
        assert isinstance(each.definition, Workflow)

        called = {payload["step"] for _, payload in step_calls(machine)}

        assert called == set(each.definition.steps), each.id


def test_states_give_steps_what_they_take() -> None:
    for each, machine in machines():
        assert isinstance(each.definition, Workflow)
        for name, payload in step_calls(machine):
            step = each.definition.steps[payload["step"]]

            assert set(payload) == {"step", "run", "attempt", "input"}, (each.id, name)
            # every step call carries the event, also for a step that does not ask for it
            assert set(payload["input"]) == step.parameters | {"event"}, (each.id, name)


def test_states_are_named_after_their_steps() -> None:
    for each, machine in machines():
        for name, payload in step_calls(machine):
            assert name == "".join(part.title() for part in payload["step"].split("_")), each.id


def test_states_have_pascal_case_names() -> None:
    wrong = [
        (each.id, name) for each, it in machines() for name, _ in states(it) if not re.fullmatch(r"([A-Z]\w*)", name)
    ]

    assert wrong == []


def test_every_next_state_exists() -> None:
    for each, machine in machines():
        for flow in flows(machine):
            named = {flow["StartAt"]} | {name for state in flow["States"].values() for name in followers(state)}

            assert named <= flow["States"].keys(), each.id
            assert flow["States"].keys() <= named, f"{each.id}: a state that nothing leads to"


def test_every_error_that_is_handled_is_a_real_one() -> None:
    real = real_errors()
    assert {"NonRetryableError", "Lambda.TooManyRequestsException"} <= real

    unknown = [
        (each.id, name, error)
        for each, machine in machines()
        for name, handler in handlers(machine)
        for error in handler["ErrorEquals"]
        if error not in real
    ]

    assert unknown == []


def test_every_step_is_retried_and_lambdas_refusals_more_often() -> None:
    for each, machine in machines():
        for name, state in states(machine):
            if not is_step_call(state):
                continue
            attempts = {error: it["MaxAttempts"] for it in state.get("Retry", []) for error in it["ErrorEquals"]}

            assert attempts["Lambda.TooManyRequestsException"] > attempts["States.ALL"] > 0, (each.id, name)


def test_a_state_waits_longer_than_its_function_works() -> None:
    for each, machine in machines():
        for name, state in states(machine):
            limit = state.get("TimeoutSeconds")
            if is_step_call(state) and not isinstance(limit, str):
                assert limit, (each.id, name)
                assert limit > each.timeout, (each.id, name)


def test_every_state_machine_raises_an_alarm_on_each_bad_end() -> None:
    seen: dict[str, set[str]] = {}
    for alarm in house().alarms:
        for query in alarm.properties.get("Metrics", []):
            metric = query.get("MetricStat", {}).get("Metric", {})
            for dimension in metric.get("Dimensions", []):
                seen.setdefault(dimension["Value"], set()).add(metric["MetricName"])

    for each, _ in machines():
        assert each.machine
        assert seen.get(each.machine.identity.ref) == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}
