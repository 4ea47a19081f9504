"""How a workflow's run ended: from the status event of its execution, or from the execution itself.

Format: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared import aws, clock
from shared.engine import control
from shared.engine.errors import InvalidMessageError, describe_invalid
from shared.engine.history import failing_step, message_of
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.engine.payloads import outgoing
from shared.observability import log_context, logger
from shared.settings import settings

if TYPE_CHECKING:
    from datetime import datetime

Ended = Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]

_REASONS: Final = {
    "FAILED": ("ExecutionFailed", "the execution failed without a cause"),
    "TIMED_OUT": ("States.Timeout", "the execution was not over by its time limit"),
    "ABORTED": ("ExecutionAborted", "the execution was stopped"),
}


class ExecutionEnded(BaseModel):
    """The `detail` of a `Step Functions Execution Status Change`; dates are ms since 1970, output is JSON text."""

    model_config = ConfigDict(frozen=True)

    execution_arn: str = Field(alias="executionArn")
    name: str
    status: Ended
    start_date: int = Field(alias="startDate")
    stop_date: int = Field(alias="stopDate")
    output: str | None = None
    error: str | None = None
    cause: str | None = None

    @property
    def function(self) -> str:
        """The id of the function whose machine it is."""
        return self.execution_arn.split(":")[-2].removeprefix(f"{settings().stack_name}_")

    @property
    def ended(self) -> datetime:
        """When it ended."""
        return clock.at_milliseconds(self.stop_date)


class StatusChange(BaseModel):
    """The EventBridge event around it."""

    detail: ExecutionEnded


def read_status_change(body: str) -> ExecutionEnded:
    """Return the end that an inbox message tells of.

    Raises:
        InvalidMessageError: `body` is not the status event of an execution's end.
    """
    try:
        return StatusChange.model_validate_json(body).detail
    except ValidationError as error:
        raise InvalidMessageError(f"not an execution's end: {describe_invalid(error)}") from None


def look_up(arn: str) -> ExecutionEnded | None:
    """Return the end of an execution, None while it runs.

    Raises:
        ExecutionDoesNotExist: (of the client) there is none.
    """
    answer = aws.client("stepfunctions").describe_execution(executionArn=arn)
    if answer["status"] not in {*_REASONS, "SUCCEEDED"}:
        return None
    dates = {name: clock.milliseconds(answer[name]) for name in ("startDate", "stopDate")}
    return ExecutionEnded.model_validate(dict(answer) | dates)


def record_end(ended: ExecutionEnded) -> bool:
    """Write the end of an execution into its run's row, and ask its function to tell of a bad one.

    Return whether it was news: a second time, or for a foreign execution, nothing changes. A worker that died after the
    write and before the message finds the failure still pending, and sends the message.
    """
    try:
        run = RunId.parse(ended.name)
    except ValueError:
        logger().info("the execution is not a run's: somebody started it by hand", extra={"execution": ended.name})
        return False
    with log_context(run_id=ended.name):
        is_news = _write(run, ended)
        if ended.status != "SUCCEEDED" and (is_news or _is_untold(run)):
            control.send(settings().inbox_of(ended.function), "failure", run)
        logger().info("run ended" if is_news else "the run's end was known", extra={"status": ended.status})
    return is_news


def _write(run: RunId, ended: ExecutionEnded) -> bool:
    started, at = clock.at_milliseconds(ended.start_date), ended.ended
    if ended.status == "SUCCEEDED":
        output = None if ended.output is None else json.loads(ended.output)
        return ledger().complete(run, output=outgoing(output), started=started, at=at)
    status: Literal["failed", "cancelled"] = "cancelled" if ended.status == "ABORTED" else "failed"
    return ledger().fail(run, error=_error(ended), status=status, started=started, at=at)


def _error(ended: ExecutionEnded) -> dict[str, Any]:
    """Return what went wrong and in which step; the error is the execution's own, as its author's `Catch` made it."""
    kind, reason = _REASONS[ended.status]
    error: dict[str, Any] = {"type": ended.error or kind, "message": message_of(ended.cause) or reason}
    found = failing_step(aws.client("stepfunctions"), ended.execution_arn)
    return error if found is None else error | {"step": found.step, "attempt": found.attempts}


def _is_untold(run: RunId) -> bool:
    row = ledger().get(run)
    return row is not None and row.failure == "pending"
