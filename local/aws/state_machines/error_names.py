# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Let an error keep the name that AWS gives it, wherever in the machine it arises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison import ConditionStringJSONata
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import iteration_worker
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import branches_decl
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local.aws.state_machines.expression_states import query_evaluation_failure

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment


def keep_states_errors_of_branches() -> None:
    """Let `States.…` errors leave a Parallel's branch or a Map's iteration under their own names.

    moto 5.2.5: `branches_decl` and `iteration_worker` make a `CustomErrorName` of them, which refuses such names with a
    ValueError: the execution ends with States.Runtime, and no Catch of the Parallel or Map sees a States.Timeout.
    """
    branches_decl.CustomErrorName = _error_name
    iteration_worker.CustomErrorName = _error_name


def _error_name(error_name: str | None) -> Any:
    if error_name is None or not error_name.startswith("States."):
        return CustomErrorName(error_name)
    try:
        return StatesErrorName.from_name(error_name)
    except ValueError:  # one that moto does not know: States.Http.Socket, say
        return ErrorName(error_name)


def name_what_stops_a_choice() -> None:
    """Report States.NoChoiceMatched, and States.QueryEvaluationError for a Condition that is no boolean.

    moto 5.2.5: `StateChoice._eval_state` and `ConditionStringJSONata` raise a RuntimeError for either, so the execution
    ends with States.Runtime, which nothing around the Choice can catch.
    """
    choose = StateChoice._eval_state

    def choose_or_name_it(self: Any, env: Environment) -> None:
        try:
            choose(self, env)
        except RuntimeError:
            if self.default_state is not None:
                raise
            raise _no_choice_matched(env, self.name) from None

    StateChoice._eval_state = choose_or_name_it
    ConditionStringJSONata._eval_body = _evaluate_condition


def _no_choice_matched(env: Environment, state: str) -> Exception:
    error = StatesErrorName(typ=StatesErrorNameType.StatesNoChoiceMatched)
    cause = f"None of the choices of the state '{state}' matched, and it has no default."
    details = ExecutionFailedEventDetails(error=error.error_name, cause=cause)
    failure: Exception = FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=error,
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(executionFailedEventDetails=details),
        )
    )
    return failure


def _evaluate_condition(self: Any, env: Environment) -> None:
    self.string_jsonata.eval(env=env)
    result = env.stack[-1]
    if not isinstance(result, bool):
        expression = self.string_jsonata.expression
        raise query_evaluation_failure(
            env, f"The JSONata expression '{expression}' for the field 'Condition' is no boolean: {result!r}"
        )
