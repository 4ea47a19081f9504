"""Answer the calls about executions with what AWS answers."""

from __future__ import annotations

import datetime as dt
from typing import Any

from moto.core.responses import ActionResult
from moto.stepfunctions.exceptions import InvalidToken
from moto.stepfunctions.responses import StepFunctionResponse

from local.aws.state_machines.histories import written
from local.aws.state_machines.redrives import why_not_redrivable

# The most events that one call returns, and the number without maxResults.
HISTORY_PAGE = (1000, 100)

# StopExecution answers when the execution has ended; a step that computes without a pause may keep it longer.
STOP_SECONDS = 5.0


def answer_as_aws_does() -> None:
    """Show every end whole, keep a stop's reason, and page through a history from either side.

    moto 5.2.5: `StepFunctionResponse` shows no stopDate for TIMED_OUT, does not read StopExecution's error and cause,
    and GetExecutionHistory knows neither maxResults, nextToken nor reverseOrder and copies the whole history each time.
    """
    StepFunctionResponse.describe_execution = _describe_execution
    StepFunctionResponse.list_executions = _list_executions
    StepFunctionResponse.stop_execution = _stop_execution
    StepFunctionResponse.get_execution_history = _get_execution_history


def _summary(execution: Any) -> dict[str, Any]:
    summary = {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "name": execution.name,
        "status": execution.status,
        "startDate": execution.start_date,
        "redriveCount": getattr(execution, "redrive_count", 0),
    }
    if summary["redriveCount"]:
        summary["redriveDate"] = execution.redrive_date
    if summary["status"] != "RUNNING":
        summary["stopDate"] = execution.stop_date
    return summary


def _describe_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    answer = _summary(execution)
    answer |= {"input": execution.execution_input, "inputDetails": {"included": True}}
    reason = why_not_redrivable(execution)
    answer["redriveStatus"] = "NOT_REDRIVABLE" if reason else "REDRIVABLE"
    if reason:
        answer["redriveStatusReason"] = reason
    if answer["status"] == "SUCCEEDED":
        answer |= {"output": execution.output, "outputDetails": {"included": True}}
    elif answer["status"] != "RUNNING":
        given = {"error": execution.error, "cause": execution.cause}
        answer |= {name: value for name, value in given.items() if value is not None}
    return ActionResult(answer)


def _list_executions(self: Any) -> ActionResult:
    executions, next_token = self.stepfunction_backend.list_executions(
        self._get_param("stateMachineArn"),
        status_filter=self._get_param("statusFilter"),
        max_results=self._get_int_param("maxResults"),
        next_token=self._get_param("nextToken"),
    )
    return ActionResult({"executions": [_summary(execution) for execution in executions], "nextToken": next_token})


def _stop_execution(self: Any) -> ActionResult:
    execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
    now = dt.datetime.now(dt.UTC)
    execution.stop(stop_date=now, error=self._get_param("error"), cause=self._get_param("cause"))
    execution.ended.wait(STOP_SECONDS)
    return ActionResult({"stopDate": execution.stop_date or now})


def _get_execution_history(self: Any) -> ActionResult:
    arn = self._get_param("executionArn")
    events = written(self.stepfunction_backend.describe_execution(arn).exec_worker.env.event_manager)
    if self._get_param("reverseOrder"):
        events = events[::-1]
    largest, default = HISTORY_PAGE
    size = min(self._get_int_param("maxResults") or default, largest)
    token = self._get_param("nextToken")
    if token is not None and not token.isdecimal():
        raise InvalidToken(token)
    start = int(token or 0)
    page: dict[str, Any] = {"events": events[start : start + size]}
    if start + size < len(events):
        page["nextToken"] = str(start + size)
    return ActionResult(page)
