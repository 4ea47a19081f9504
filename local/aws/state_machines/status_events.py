"""Tell the default event bus what happens to an execution.

The event: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from local.aws.state_machines.wiring import wired

if TYPE_CHECKING:
    import datetime as dt

logger = logging.getLogger(__name__)

# AWS leaves out what would be over this in the event, counted as the text is escaped there.
PAYLOAD_LIMIT_BYTES = 248 * 1024


def publish_status(execution: Any) -> None:
    """Publish the execution's present status; a bus that fails must not fail the execution."""
    try:
        wired().publish(
            "aws.states",
            "Step Functions Execution Status Change",
            [execution.exec_arn],
            status_detail(execution),
        )
    except Exception:
        logger.exception("the status change of %s was not published", execution.exec_arn)


def status_detail(execution: Any) -> dict[str, Any]:
    """Return the event's detail for the execution as it is now."""
    given, output = execution.execution_input, execution.output
    with_output = output is not None and _escaped(output) <= PAYLOAD_LIMIT_BYTES
    with_input = _escaped(given) + (_escaped(output) if with_output else 0) <= PAYLOAD_LIMIT_BYTES
    return {
        "executionArn": execution.exec_arn,
        "stateMachineArn": execution.state_machine_arn,
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "name": execution.name,
        "status": execution.status,
        "startDate": _milliseconds(execution.start_date),
        "stopDate": _milliseconds(execution.stop_date),
        "input": given if with_input else None,
        "inputDetails": {"included": with_input},
        "output": output if with_output else None,
        "outputDetails": None if output is None else {"included": with_output},
        "error": execution.error,
        "cause": execution.cause,
        "redriveCount": getattr(execution, "redrive_count", 0),
        "redriveDate": _milliseconds(getattr(execution, "redrive_date", None)),
    }


def _escaped(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _milliseconds(moment: dt.datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
