# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Redrive an execution: let it go on, under the same ARN, from the state in which it ended.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
Departs from AWS: a Parallel or Map state begins anew as a whole, where AWS redrives only what failed inside it; and the
state is entered again in the history, where AWS begins with its next event.
"""

from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING, Any, Final

from moto.core.exceptions import AWSError
from moto.core.responses import ActionResult
from moto.stepfunctions.parser.api import ExecutionRedrivenEventDetails, ExecutionStatus, HistoryEventType
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.responses import StepFunctionResponse

from local.aws.state_machines.histories import HISTORY_LIMIT, continued, written
from local.aws.state_machines.json_values import aws_time
from local.aws.state_machines.status_events import publish_status

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

REDRIVABLE_PERIOD: Final = dt.timedelta(days=14)
_END_SECONDS: Final = 5.0  # an end is told in many places, and shows in the first of them before the last

_redrive_lock = threading.Lock()


class ExecutionNotRedrivable(AWSError):  # type: ignore[misc] # noqa: N818 (moto's class has no types; AWS's name)
    """The execution runs, has succeeded, or ended too long ago."""

    TYPE = "ExecutionNotRedrivable"
    STATUS = 400


def remember_where_an_execution_is() -> None:
    """Keep the state that an execution is in and its input: a redrive goes on from there.

    moto 5.2.5: an execution's environment forgets the state's name at its end, and never knew the state's own input.
    """
    evaluate = CommonStateField._eval_body

    def evaluate_and_remember(self: Any, env: Environment) -> None:
        if not env.is_frame():
            env.in_state = (self.name, env.states._states_data["input"])
        evaluate(self, env)

    CommonStateField._eval_body = evaluate_and_remember


def redrive_as_aws_does() -> None:
    """Answer RedriveExecution.

    moto 5.2.5: `StepFunctionResponse` has no such operation: HTTP 500.
    """
    StepFunctionResponse.redrive_execution = _redrive_execution


def why_not_redrivable(execution: Any) -> str | None:
    """Return why an execution cannot be redriven, None if it can."""
    if execution.status in (ExecutionStatus.RUNNING, ExecutionStatus.SUCCEEDED):
        return f"Execution is {execution.status} and cannot be redriven"
    if len(written(execution.exec_worker.env.event_manager)) >= HISTORY_LIMIT - 1:
        return "Execution event history limit exceeded"
    if dt.datetime.now(dt.UTC) - execution.stop_date > REDRIVABLE_PERIOD:
        return "Execution has exceeded its redrivable period"
    return None


def _redrive_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    with _redrive_lock:
        if reason := why_not_redrivable(execution):
            raise ExecutionNotRedrivable(reason)
        execution.ended.wait(_END_SECONDS)
        _begin_again(execution)
    publish_status(execution)
    execution.exec_worker.start()
    return ActionResult({"redriveDate": execution.redrive_date})


def _begin_again(execution: Any) -> None:
    worker = execution.exec_worker
    ended = worker.env
    state, given = getattr(ended, "in_state", (worker.program.start_at.start_at_name, None))
    env = worker._get_evaluation_environment()
    if given is not None:  # else it was stopped before its first state, and begins with the execution's input
        env.states.reset(input_value=given)
        env.variable_store = ended.variable_store
    env.event_manager = continued(ended.event_manager, env)
    env.event_history_context.source_event_id = len(written(env.event_manager))
    env.next_state_name = env.begin_at = state
    execution.redrive_count = getattr(execution, "redrive_count", 0) + 1
    execution.redrive_date = dt.datetime.now(dt.UTC)
    context = env.states.context_object.context_object_data["Execution"]
    context.update(
        StartTime=aws_time(context["StartTime"]),
        RedriveCount=execution.redrive_count,
        RedriveTime=aws_time(execution.redrive_date),
    )
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.ExecutionRedriven,
        event_details=EventDetails(
            executionRedrivenEventDetails=ExecutionRedrivenEventDetails(redriveCount=execution.redrive_count)
        ),
    )
    worker.env = env
    execution.ended = threading.Event()
    execution.error = execution.cause = execution.stop_date = None
    execution.exec_status = ExecutionStatus.RUNNING
