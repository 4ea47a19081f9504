"""How a workflow's run ended, from the status event of its execution.

Format: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.engine.errors import InvalidMessageError, describe_invalid
from shared.engine.identity import RunId
from shared.engine.ledger import ledger
from shared.observability import log_context, logger

_REASONS: Final = {
    "FAILED": ("ExecutionFailed", "the execution failed without a cause"),
    "TIMED_OUT": ("States.Timeout", "the execution was not over by its time limit"),
    "ABORTED": ("ExecutionAborted", "the execution was stopped"),
}


class ExecutionEnded(BaseModel):
    """The `detail` of a `Step Functions Execution Status Change`; times are ms since 1970, output is JSON text."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    stop_date: int = Field(alias="stopDate")
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class StatusChange(BaseModel):
    """The EventBridge event around it."""

    detail: ExecutionEnded


def record_end(body: str) -> None:
    """Write the end of an execution into its run's row; a second time, or for a foreign execution, change nothing.

    Raises:
        InvalidMessageError: `body` is not the status event of an execution's end.
    """
    try:
        ended = StatusChange.model_validate_json(body).detail
    except ValidationError as error:
        raise InvalidMessageError(f"not an execution's end: {describe_invalid(error)}") from None
    try:
        run = RunId.parse(ended.name)
    except ValueError:
        logger().info("the execution is not a run's: somebody started it by hand", extra={"execution": ended.name})
        return
    with log_context(run_id=ended.name):
        if _write(run, ended):
            logger().info("run ended", extra={"status": ended.status})
        else:
            logger().info("the run's end was known", extra={"status": ended.status})


def _write(run: RunId, ended: ExecutionEnded) -> bool:
    at = datetime.fromtimestamp(ended.stop_date / 1000, UTC)
    if ended.status == "SUCCEEDED":
        return ledger().complete(run, output=None if ended.output is None else json.loads(ended.output), at=at)
    kind, reason = _REASONS[ended.status]
    error = {"type": ended.error or kind, "message": _message(ended.cause) or reason}
    return ledger().fail(run, error=error, status="cancelled" if ended.status == "ABORTED" else "failed", at=at)


def _message(cause: str | None) -> str | None:
    """Return the words of a cause; a failed Lambda's cause is its error document as JSON."""
    try:
        document: Any = json.loads(cause or "")
    except ValueError:
        return cause
    message = document.get("errorMessage") if isinstance(document, dict) else None
    return str(message) if message else cause
