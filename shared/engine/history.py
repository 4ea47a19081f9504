"""Read an execution's history: what each of its states did, and in which one it ended.

Format: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from shared import clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_stepfunctions import SFNClient

# An event may hold 256 KiB, a history 25,000 of them: a page is at most 64 MB, the longest history 100 calls.
PAGE_EVENTS: Final = 250

_SCHEDULED: Final = ("TaskScheduled", "LambdaFunctionScheduled")
_SUCCEEDED: Final = ("TaskSucceeded", "LambdaFunctionSucceeded")
_FAILED: Final = (
    "TaskFailed", "TaskTimedOut", "TaskStartFailed", "TaskSubmitFailed", "LambdaFunctionFailed",
    "LambdaFunctionTimedOut", "LambdaFunctionScheduleFailed", "LambdaFunctionStartFailed",
)  # fmt: skip
_BAD_ENDS: Final = {
    "ExecutionFailed": "ExecutionFailed",
    "ExecutionTimedOut": "States.Timeout",
    "ExecutionAborted": "ExecutionAborted",
}


@dataclass(frozen=True)
class FailingStep:
    """Where and why an execution ended that did not succeed.

    `step` is what the state's call named (`Payload.step`), else the state's name; `attempts` counts the state's calls
    (0: it makes none, or came to none). `error` and `message` are the execution's, as its end tells them.
    """

    state: str
    step: str
    attempts: int
    error: str
    message: str


@dataclass
class Attempt:
    """One call of a state's step. Times are RFC 3339 in UTC; `error` has `type` and `message`."""

    started_at: str
    ended_at: str | None = None
    error: dict[str, str] | None = None


@dataclass
class Visit:
    """One pass through a state, known by the id of the event that entered it.

    `kind` is the state's type. `inside` is the pass through the Map or Parallel state around it. `left` also once the
    state around it was left.
    """

    id: int
    kind: str
    state: str
    step: str
    inside: Visit | None
    attempts: list[Attempt] = field(default_factory=list)
    input: Any = None
    output: Any = None
    left: bool = False

    @property
    def is_container(self) -> bool:
        """Whether states run inside it."""
        return self.kind in ("Map", "Parallel")

    @property
    def error(self) -> str | None:
        """The error's type with which its last call failed."""
        last = self.attempts[-1].error if self.attempts else None
        return last["type"] if last else None

    def outward(self) -> Iterator[Visit]:
        """Yield the visit, the one around it, and so on."""
        at: Visit | None = self
        while at is not None:
            yield at
            at = at.inside


class History:
    """What a history's events tell, taken in their order.

    Args:
        keep_data: keep what each step was given and answered; a long history's data may not fit into memory.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]] = (), *, keep_data: bool = False) -> None:
        self.visits: dict[int, Visit] = {}
        self._keep_data = keep_data
        self._open: dict[int, Visit] = {}
        self._visit_of: dict[int, Visit] = {}  # by event id
        self._end: Mapping[str, Any] | None = None
        for event in events:
            self._add(event)

    def failing(self) -> FailingStep | None:
        """Return the step in which the execution ended; None if it succeeded, still runs, or came to no state."""
        end = self._end
        visit = self._failing_visit(end) if end and end["type"] in _BAD_ENDS else None
        if end is None or visit is None:
            return None
        details = _details(end)
        error = details.get("error") or _BAD_ENDS[end["type"]]
        if visit.kind == "Fail":  # one that repeats the error of a step speaks of that step
            visit = next((each for each in reversed(self.visits.values()) if each.error == error), visit)
        return FailingStep(visit.state, visit.step, len(visit.attempts), error, message_of(details.get("cause")))

    def _failing_visit(self, end: Mapping[str, Any]) -> Visit | None:
        """Follow the end's link, where it has one, else take the most telling of the states that were not left."""
        if not self._open:  # between two states, as where the history is full: the last of them
            return next(reversed(self.visits.values()), None)
        around = next((each for each in self._linked(end) if not each.left), None)
        around_others = {id(each.inside) for each in self._open.values()}
        innermost = [each for each in self._open.values() if id(each) not in around_others]
        if end["type"] != "ExecutionFailed":  # such an end is the whole execution's: its link names any branch
            return max(innermost, key=_in_progress, default=None)
        if around is not None:
            innermost = [each for each in innermost if around in each.outward()]
        error = _details(end).get("error")
        return max(innermost, key=lambda visit: _failed_with(visit, error), default=None)

    def _linked(self, event: Mapping[str, Any]) -> Iterator[Visit]:
        """Yield the visit in which the event before this one happened, and those around it."""
        visit = self._visit_of.get(event.get("previousEventId", 0))
        yield from visit.outward() if visit else ()

    def _add(self, event: Mapping[str, Any]) -> None:
        kind, details = event["type"], _details(event)
        visit = next(self._linked(event), None)
        if kind.endswith("StateEntered"):
            visit = self._enter(event["id"], kind, details["name"], visit)
        elif kind.endswith("StateExited"):
            visit = self._leave(event, details["name"])
        elif kind in ("MapStateStarted", "ParallelStateStarted"):
            visit = next((each for each in self._linked(event) if each.is_container and not each.left), None)
            self._leave_inside(visit)  # begun again by a Retry: what its last attempt left open is over
        elif kind == "MapIterationStarted":
            visit = next((each for each in self._linked(event) if each.state == details.get("name")), visit)
        elif kind.startswith("Execution"):
            if kind == "ExecutionRedriven" and self._end:  # it goes on where the execution ended
                visit = self._failing_visit(self._end)
            self._end = event
        elif visit is not None:
            self._note(visit, event, details)
        if visit is not None:
            self._visit_of[event["id"]] = visit

    def _enter(self, id_: int, kind: str, name: str, before: Visit | None) -> Visit:
        around = before
        if before is not None and (before.left or not before.is_container):
            self._mark_left(before)
            around = before.inside
        visit = Visit(id_, kind.removesuffix("StateEntered"), name, name, around)
        self.visits[id_] = self._open[id_] = visit
        return visit

    def _leave(self, event: Mapping[str, Any], name: str) -> Visit | None:
        visit = next((each for each in self._linked(event) if each.state == name and not each.left), None)
        if visit is not None:
            self._leave_inside(visit)
            self._mark_left(visit)
        return visit

    def _leave_inside(self, container: Visit | None) -> None:
        if container is not None and container.is_container:
            for each in [each for each in self._open.values() if each is not container and container in each.outward()]:
                self._mark_left(each)

    def _mark_left(self, visit: Visit) -> None:
        visit.left = True
        self._open.pop(visit.id, None)

    def _note(self, visit: Visit, event: Mapping[str, Any], details: Mapping[str, Any]) -> None:
        kind = event["type"]
        if kind in _SCHEDULED:
            given = _given(details)
            visit.step = given.get("step", visit.state)
            visit.input = given.get("input") if self._keep_data else None
            visit.attempts.append(Attempt(clock.isoformat(event["timestamp"])))
        elif kind in _SUCCEEDED and visit.attempts:
            visit.attempts[-1].ended_at = clock.isoformat(event["timestamp"])
            output = _parsed(details.get("output")) if self._keep_data else None
            visit.output = output["Payload"] if isinstance(output, dict) and "Payload" in output else output
        elif kind in _FAILED and visit.attempts:
            visit.attempts[-1].ended_at = clock.isoformat(event["timestamp"])
            visit.attempts[-1].error = {
                "type": details.get("error") or kind,
                "message": message_of(details.get("cause")),
            }


def failing_step(client: SFNClient, execution_arn: str) -> FailingStep | None:
    """Return the step in which an execution ended.

    None if it succeeded, still runs, was over before its first state, or does not exist.
    """
    try:
        return History(events_of(client, execution_arn)).failing()
    except client.exceptions.ExecutionDoesNotExist:
        return None


def events_of(client: SFNClient, execution_arn: str) -> Iterator[Mapping[str, Any]]:
    """Yield an execution's events in their order, page by page; raise ExecutionDoesNotExist if there is no such one."""
    pages = client.get_paginator("get_execution_history").paginate(
        executionArn=execution_arn, includeExecutionData=True, PaginationConfig={"PageSize": PAGE_EVENTS}
    )
    for page in pages:
        yield from (dict(event) for event in page["events"])


def message_of(cause: str | None) -> str:
    """Return the words of a cause: a failed Lambda's is its error document as JSON."""
    document = _parsed(cause)
    if isinstance(document, dict) and "errorMessage" in document:
        return str(document["errorMessage"] or "")
    return cause or ""


def _in_progress(visit: Visit) -> tuple[bool, bool, int]:
    """Rank a state that a time-out or a stop interrupted: a call, then a retry's pause, then the first to begin."""
    calling = bool(visit.attempts) and visit.attempts[-1].ended_at is None
    return calling, bool(visit.attempts), -visit.id


def _failed_with(visit: Visit, error: str | None) -> tuple[bool, bool, str]:
    """Rank a state where another branch's may have failed as well: by the execution's error, then the last to fail."""
    ended_at = visit.attempts[-1].ended_at if visit.attempts else None
    return visit.error is not None and visit.error == error, visit.error is not None, ended_at or ""


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
