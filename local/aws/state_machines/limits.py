# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Keep the sizes that AWS keeps: 256 KiB a state, its arguments and its variables, and nothing catches it."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_lambda
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

# Input or output of a task, state or execution: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
DATA_LIMIT_BYTES = 262_144

# States.ALL does not catch these: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
TERMINAL_ERRORS = frozenset({"States.DataLimitExceeded", "States.Runtime"})


def is_within_data_limit(value: Any) -> bool:
    """Say whether `value`, as compact JSON in UTF-8, is within the limit."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return len(text.encode("utf-8", "surrogatepass")) <= DATA_LIMIT_BYTES


def data_limit_failure(env: Environment, cause: str) -> Exception:
    """Return States.DataLimitExceeded for raising."""
    error = StatesErrorName(typ=StatesErrorNameType.StatesStatesDataLimitExceeded)
    details = TaskFailedEventDetails(error=error.error_name, cause=cause)
    failure: Exception = FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=error,
            event_type=HistoryEventType.TaskFailed,
            event_details=EventDetails(taskFailedEventDetails=details),
        )
    )
    return failure


def measure_json_in_bytes() -> None:
    """Measure a state's data as AWS does.

    moto 5.2.5: `quotas.is_within_size_quota` counts ASCII escapes and spaces that AWS does not, refuses exactly
    262,144 bytes, and measures a string without its quotes.
    """
    for module in (state, state_task_service, state_task_lambda):
        module.is_within_size_quota = is_within_data_limit


def let_nothing_catch_terminal_errors() -> None:
    """Let no Retry or Catch on States.ALL or States.TaskFailed match an error that AWS ends the execution with.

    moto 5.2.5: `ErrorEqualsDecl` lets States.ALL match everything, States.DataLimitExceeded and States.Runtime too.
    """
    matches = ErrorEqualsDecl._eval_body

    @functools.wraps(matches)
    def match_but_terminal(self: Any, env: Environment) -> None:
        error_name = env.stack[-1]
        if error_name is not None and error_name.error_name in TERMINAL_ERRORS:
            env.stack.pop()
            env.stack.append(False)
            return
        matches(self, env)

    ErrorEqualsDecl._eval_body = match_but_terminal


def refuse_large_arguments() -> None:
    """End the execution when a task's arguments are over the limit.

    moto 5.2.5: `_eval_parameters` of a task passes on arguments of any size; AWS reports States.DataLimitExceeded
    "when, after Arguments processing, the input of a state is larger than the payload size quota".
    """
    for task in (StateTask, state_task_lambda.StateTaskLambda):
        task._eval_parameters = _within_limit(task._eval_parameters)


def _within_limit(evaluate: Any) -> Any:
    @functools.wraps(evaluate)
    def evaluate_within_limit(self: Any, env: Environment) -> Any:
        arguments = evaluate(self, env=env)
        if not is_within_data_limit(arguments):
            raise data_limit_failure(env, f"The arguments of '{self.name}' exceed the maximum number of bytes.")
        return arguments

    return evaluate_within_limit
