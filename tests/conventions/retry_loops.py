"""Find what is wrong with a state machine's handling of errors that its steps raise on purpose.

A `Retry` has constant intervals, so a step that raises RetryAfter needs a loop around its state: Catch - Choice - Wait.
The functions take a definition as a dict and return what is wrong in words, nothing when all is well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_RETRY_AFTER: Final = "RetryAfter"
_ANY_ERROR: Final = {"States.ALL", "States.TaskFailed"}
_TOLD_SECONDS: Final = re.compile(
    r"\$parse\(\s*\$parse\(\s*\$states\.errorOutput\.Cause\s*\)\.errorMessage\s*\)\.seconds"
)
_NOW: Final = re.compile(r"\$(millis|now)\(")
_VARIABLE: Final = re.compile(r"\$([a-z_]\w*)\b(?!\s*\()")


def flows(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the machine and every flow inside its Map and Parallel states; names are looked up within one flow."""
    yield machine
    for state in machine["States"].values():
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from flows(inner)


def followers(state: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the states that may follow."""
    for place in (state, *state.get("Choices", []), *state.get("Catch", [])):
        yield from (place[key] for key in ("Next", "Default") if key in place)


def is_step_call(state: dict[str, Any]) -> bool:
    """Return whether a state calls the workflow's function."""
    return str(state.get("Resource", "")).endswith(":lambda:invoke")


def retry_problems(machine: dict[str, Any]) -> list[str]:
    """Return the tasks that would try a NonRetryableError again."""
    return [
        f"{name}: NonRetryableError is not listed with MaxAttempts 0 before what matches every error"
        for flow in flows(machine)
        for name, state in flow["States"].items()
        if state["Type"] == "Task" and not _is_never_retried(state, "NonRetryableError")
    ]


def loop_problems(machine: dict[str, Any], declared: Collection[str]) -> list[str]:
    """Return what is wrong with the loops around the steps of the names `declared` as raising RetryAfter."""
    problems: list[str] = []
    for flow in flows(machine):
        for name, state in flow["States"].items():
            raises = is_step_call(state) and state["Arguments"]["Payload"]["step"] in declared
            if raises:
                problems += [f"{name}: {each}" for each in _loop_problems(flow, name, state)]
            elif _names_retry_after(state):
                problems.append(f"{name}: handles RetryAfter, but its step is not declared retry_after")
    return problems


def _is_never_retried(state: dict[str, Any], error: str) -> bool:
    """Return whether the first retrier that matches `error` names it and makes no attempt."""
    for retrier in state.get("Retry", []):
        if error in retrier["ErrorEquals"]:
            return retrier.get("MaxAttempts") == 0
        if _ANY_ERROR & set(retrier["ErrorEquals"]):
            return False
    return False


def _names_retry_after(state: dict[str, Any]) -> bool:
    return any(_RETRY_AFTER in each["ErrorEquals"] for each in [*state.get("Retry", []), *state.get("Catch", [])])


def _loop_problems(flow: dict[str, Any], name: str, state: dict[str, Any]) -> Iterator[str]:
    if not _is_never_retried(state, _RETRY_AFTER):
        yield "RetryAfter is not listed in Retry with MaxAttempts 0 before what matches every error"
    catcher = _catcher(state)
    if catcher is None:
        yield "no Catch for RetryAfter alone before what matches every error"
        return
    assigned = {key: str(value) for key, value in catcher.get("Assign", {}).items()}
    seconds = next((key for key, value in assigned.items() if _TOLD_SECONDS.search(value)), None)
    count = next((key for key, value in assigned.items() if re.search(rf"\${key}\s*\+\s*1\b", value)), None)
    if seconds is None:
        yield "the Catch does not assign the seconds that the error's message tells"
    if count is None:
        yield "the Catch does not count"
    choice = flow["States"].get(catcher["Next"], {})
    if choice.get("Type") != "Choice":
        yield "the Catch does not lead to a Choice"
    elif seconds and count:
        yield from _choice_problems(flow, name, choice, seconds, count)


def _catcher(state: dict[str, Any]) -> dict[str, Any] | None:
    for catcher in state.get("Catch", []):
        if catcher["ErrorEquals"] == [_RETRY_AFTER]:
            return dict(catcher)
        if _ANY_ERROR & set(catcher["ErrorEquals"]):
            return None
    return None


def _choice_problems(
    flow: dict[str, Any], name: str, choice: dict[str, Any], seconds: str, count: str
) -> Iterator[str]:
    states = flow["States"]
    on = [each for each in choice["Choices"] if states.get(each["Next"], {}).get("Type") == "Wait"]
    if len(on) != 1:
        yield "the Choice does not lead to a Wait by exactly one condition"
        return
    condition = str(on[0]["Condition"])
    if not re.search(rf"\${count}\s*<", condition):
        yield "the Choice does not limit the count"
    if not (_NOW.search(condition) and len(set(_VARIABLE.findall(condition)) - {count, seconds}) == 1):
        yield "the Choice does not compare the time with a deadline"
    for variable in sorted(set(_VARIABLE.findall(condition)) - {seconds}):
        if not _is_begun(flow, variable):
            yield f"no state assigns ${variable} before the loop"
    wait = states[on[0]["Next"]]
    if str(wait.get("Seconds", "")).strip("{}% ") != f"${seconds}":
        yield "the Wait does not wait as told"
    if wait.get("Next") != name:
        yield "the Wait does not lead back to the step"
    yield from _over_problems(states, name, choice)


def _is_begun(flow: dict[str, Any], variable: str) -> bool:
    return any(variable in state.get("Assign", {}) for state in flow["States"].values())


def _over_problems(states: dict[str, Any], name: str, choice: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the path on which the loop is over: it must fail, and never come back."""
    todo, reached = [choice.get("Default", "")], set[str]()
    while todo:
        at = todo.pop()
        if at in states and at not in reached:
            reached.add(at)
            todo += followers(states[at])
    ends = {states[each]["Type"] for each in reached if not [*followers(states[each])]}
    if name in reached or ends != {"Fail"}:
        yield "the Choice's Default does not lead to a failure"


def patience_problems(machine: dict[str, Any], limits: dict[str, float]) -> list[str]:
    """Return the states whose retries give up before the effect of their step may be tried again.

    `limits` holds, in seconds, how long the effect of each step declared `once` is taken to be under way. While it is,
    every attempt fails: retries that are over sooner fail a run whose effect a dead worker left behind.
    """
    return [
        f"{name}: its retries last {lasting:g} s on average, its effect up to {limits[step]:g} s"
        for flow in flows(machine)
        for name, state in flow["States"].items()
        if is_step_call(state)
        and (step := state["Arguments"]["Payload"]["step"]) in limits
        and (lasting := _lasting(state)) < limits[step]
    ]


def _lasting(state: dict[str, Any]) -> float:
    """Return for how many seconds a state tries again what matches every error; full jitter halves each wait."""
    for retrier in state.get("Retry", []):
        if _ANY_ERROR & set(retrier["ErrorEquals"]):
            first, growth = retrier.get("IntervalSeconds", 1), retrier.get("BackoffRate", 2.0)
            longest = retrier.get("MaxDelaySeconds", float("inf"))
            waits = [min(first * growth**number, longest) for number in range(retrier.get("MaxAttempts", 3))]
            return sum(waits) / (2 if retrier.get("JitterStrategy") == "FULL" else 1)
    return 0.0
