# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Give moto's states their JSONata: what `$states` and the variables are, and how a failure ends the state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata, StringVariableSample
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSecondsJSONata
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.variable_store import NoSuchVariable

from local.aws.state_machines.expressions import References, evaluate
from local.aws.state_machines.json_values import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.stepfunctions.parser.asl.eval.environment import Environment

LONGEST_SECONDS = 99_999_999


def bind_values_to_expressions() -> None:
    """Evaluate every expression by jsonata-python, with values bound.

    moto 5.2.5: `asl/jsonata/jsonata.py` writes the variables into the expression's text (a string with a
    quote breaks it), has no evaluator in it (`_eval_jsonata` stays None, so that every expression fails with
    "'NoneType' object is not callable"), answers `$uuid()` and `$hash()` with the text "Function … is currently
    not supported", and refuses `$` inside a filter (`IllegalJSONataVariableReference`).
    """
    StringJSONata._eval_body = _eval_jsonata
    StringVariableSample._eval_body = _eval_variable_sample


def take_whole_numbers_only() -> None:
    """Fail the state when an expression for Seconds or TimeoutSeconds is no whole number.

    moto 5.2.5: `SecondsJSONata` and `TimeoutSecondsJSONata` cut the fraction off (`int()`), so a Wait of 1.9 s
    wakes after 1 s and a time-out of 0.9 s is none; AWS reports States.QueryEvaluationError.
    """
    SecondsJSONata._get_wait_seconds = lambda self, env: _whole_seconds(env, self.string_jsonata, "Seconds", 0)
    TimeoutSecondsJSONata._eval_seconds = lambda self, env: _whole_seconds(
        env, self.string_jsonata, "TimeoutSeconds", 1
    )


def _eval_jsonata(self: Any, env: Environment) -> None:
    env.stack.append(_value(env, self.expression, states=True))


def _eval_variable_sample(self: Any, env: Environment) -> None:
    in_jsonata = self.query_language_mode == QueryLanguageMode.JSONata
    env.stack.append(_value(env, self.expression, states=in_jsonata))


def _value(env: Environment, expression: str, *, states: bool) -> Any:
    def bind(references: References) -> Mapping[str, Any]:
        values = {}
        for name in references.variables:
            try:
                values[name] = env.variable_store.get(name)
            except NoSuchVariable:
                continue  # a function, a local name of the expression, or truly undefined
        if states:
            values["states"] = _states(env, references.states_fields)
        return values

    try:
        return evaluate(expression, bind)
    except ExpressionError as error:
        raise query_evaluation_failure(env, f"The JSONata expression '{expression}' {error}") from error


def _states(env: Environment, fields: frozenset[str] | None) -> dict[str, Any]:
    data = env.states._states_data
    names = data.keys() if fields is None else fields & data.keys()
    values = {name: data[name] for name in names}
    if values.get("errorOutput") is None:
        values.pop("errorOutput", None)  # only a Catch has it: elsewhere it is undefined, not null
    if state := values.get("context", {}).get("State"):
        entered = str(state["EnteredTime"]).replace("+00:00", "Z")
        values["context"] = {**values["context"], "State": {"RetryCount": 0, **state, "EnteredTime": entered}}
    return values


def _whole_seconds(env: Environment, expression: Any, field: str, least: int) -> int:
    expression.eval(env=env)
    seconds = env.stack.pop()
    if isinstance(seconds, int) and not isinstance(seconds, bool) and least <= seconds <= LONGEST_SECONDS:
        return seconds
    raise query_evaluation_failure(
        env,
        f"The JSONata expression '{expression.expression}' specified for the field '{field}' returned an unexpected"
        f" result. Expected a whole number from {least} to {LONGEST_SECONDS}, but was: {seconds!r}",
    )


def query_evaluation_failure(env: Environment, cause: str) -> Exception:
    """Record States.QueryEvaluationError in the history and return it for raising."""
    error = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=error.error_name)
    failure: Exception = FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=error,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(evaluationFailedEventDetails=details),
        )
    )
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.EvaluationFailed,
        event_details=EventDetails(
            evaluationFailedEventDetails=failure.get_evaluation_failed_event_details()  # type: ignore[attr-defined] # moto's own exception
        ),
    )
    return failure
