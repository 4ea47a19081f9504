"""What the steps of a workflow's run did, from its execution's history.

Format: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_stepfunctions import SFNClient

_SCHEDULED: Final = ("TaskScheduled", "LambdaFunctionScheduled")
_SUCCEEDED: Final = ("TaskSucceeded", "LambdaFunctionSucceeded")
_FAILED: Final = (
    "TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed", "LambdaFunctionFailed",
    "LambdaFunctionTimedOut", "LambdaFunctionScheduleFailed", "LambdaFunctionStartFailed",
)  # fmt: skip


@dataclass
class Attempt:
    """One call of a step. Times are RFC 3339 in UTC."""

    started_at: str
    ended_at: str | None = None
    error: dict[str, str] | None = None


@dataclass
class StepRun:
    """One pass through a task state: what it was given, what it answered, and its attempts."""

    state: str
    step: str
    input: Any = None
    output: Any = None
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`running`, `completed` or `failed`, as its last attempt is."""
        last = self.attempts[-1]
        if last.ended_at is None:
            return "running"
        return "failed" if last.error else "completed"

    def as_dict(self) -> dict[str, Any]:
        """Return what `nightshift show --json` shows of it."""
        return {"status": self.status} | asdict(self)


def steps_of(client: SFNClient, execution_arn: str) -> list[StepRun]:
    """Return the steps of an execution in the order in which they began; none if there is no such execution."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True
    )
    try:
        return read_history([dict(event) for page in pages for event in page["events"]])
    except client.exceptions.ExecutionDoesNotExist:
        return []


def read_history(events: Iterable[Mapping[str, Any]]) -> list[StepRun]:
    """Return the steps that a history tells of."""
    by_id = {event["id"]: event for event in events}
    steps: dict[int, StepRun] = {}
    for event in by_id.values():
        kind = event["type"]
        if kind not in (*_SCHEDULED, *_SUCCEEDED, *_FAILED):
            continue
        entered = _entered(event, by_id)
        if entered is None:
            continue
        details = _details(event)
        if kind in _SCHEDULED:
            given = _given(details)
            name = entered["stateEnteredEventDetails"]["name"]
            step = steps.setdefault(entered["id"], StepRun(name, given.get("step", name), given.get("input")))
            step.attempts.append(Attempt(_time(event)))
        elif entered["id"] in steps:
            _close(steps[entered["id"]], event, details)
    return [steps[id_] for id_ in sorted(steps)]


def _close(step: StepRun, event: Mapping[str, Any], details: Mapping[str, Any]) -> None:
    attempt = step.attempts[-1]
    attempt.ended_at = _time(event)
    if event["type"] in _SUCCEEDED:
        output = _parsed(details.get("output"))
        step.output = output["Payload"] if isinstance(output, dict) and "Payload" in output else output
    else:
        cause = _parsed(details.get("cause"))
        message = cause.get("errorMessage", "") if isinstance(cause, dict) else str(cause or "")
        attempt.error = {"type": details.get("error") or event["type"], "message": message}


def _entered(event: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Follow the chain back to the state in which an event happened."""
    at: Mapping[str, Any] | None = event
    while at is not None and not at["type"].endswith("StateEntered"):
        at = by_id.get(at.get("previousEventId", 0))
    return at


def _details(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's details, which stand under a name made from its type."""
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def _given(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the step call that a state made: the Payload of `lambda:invoke`, or a plain Lambda task's input."""
    parameters = _parsed(details.get("parameters") or details.get("input"))
    call = parameters.get("Payload", parameters) if isinstance(parameters, dict) else None
    return call if isinstance(call, dict) else {}


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text


def _time(event: Mapping[str, Any]) -> str:

    return clock.isoformat(event["timestamp"])
