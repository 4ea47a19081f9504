"""State machines of a few lines, followed to their ends; Lambda is plain callables at its own boundary."""

from __future__ import annotations

import itertools
import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.aws.invocation import FunctionNotFoundError, Invocation

if TYPE_CHECKING:
    from collections.abc import Callable

ROLE = "arn:aws:iam::123456789012:role/states"
_names = itertools.count(1)


@dataclass
class Functions:
    """Lambda as far as a state machine sees it: plain Python callables by name, and what they were called with."""

    by_name: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, function_name: str, payload: bytes) -> Invocation:
        name = function_name.rsplit(":", 1)[-1]
        if name not in self.by_name:
            raise FunctionNotFoundError(f"Function not found: {function_name}")
        event = json.loads(payload)
        self.calls.append((name, event))
        answer = self.by_name[name](event)
        if isinstance(answer, Invocation):
            return answer
        return Invocation(payload=json.dumps(answer).encode())


@dataclass
class Bus:
    """The events that the state machines published, in order."""

    events: list[tuple[str, str, list[str], dict[str, Any]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def __call__(self, source: str, detail_type: str, resources: list[str], detail: dict[str, Any]) -> None:
        with self.changed:
            self.events.append((source, detail_type, resources, detail))
            self.changed.notify_all()

    def details(self, arn: str) -> list[dict[str, Any]]:
        return [detail for _, _, resources, detail in self.events if resources == [arn]]

    def wait_for(self, arn: str, status: str, seconds: float = 10) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((detail for detail in self.details(arn) if detail["status"] == status), None)

        with self.changed:
            assert self.changed.wait_for(lambda: found() is not None, seconds), f"no {status} of {arn}"
            detail = found()
        assert detail is not None
        return detail


@dataclass
class Machines:
    """Makes state machines of dicts and follows their executions to the end."""

    client: Any
    bus: Bus
    functions: Functions

    def create(self, states: dict[str, Any], **top: Any) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **top}
        answer = self.client.create_state_machine(
            name=f"machine-{next(_names)}", definition=json.dumps(definition), roleArn=ROLE
        )
        return str(answer["stateMachineArn"])

    def start(self, machine: str, given: Any = None, **more: Any) -> str:
        answer = self.client.start_execution(stateMachineArn=machine, input=json.dumps(given or {}), **more)
        return str(answer["executionArn"])

    def run(self, states: dict[str, Any], given: Any = None, **top: Any) -> dict[str, Any]:
        """Run to the end; return DescribeExecution's answer."""
        return self.finish(self.start(self.create(states, **top), given))

    def finish(self, arn: str, seconds: float = 20) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        pause = threading.Event()
        while (described := self.describe(arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} does not end: {self.history_types(arn)}"
            pause.wait(0.005)
        return described

    def describe(self, arn: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.describe_execution(executionArn=arn)
        return answer

    def output(self, states: dict[str, Any], given: Any = None) -> Any:
        described = self.run(states, given)
        assert described["status"] == "SUCCEEDED", (described.get("error"), described.get("cause"))
        return json.loads(described["output"])

    def value(self, expression: str, given: Any = None, assign: dict[str, Any] | None = None) -> Any:
        """Evaluate one expression, `assign`ed variables in scope."""
        return self.output(
            {
                "Begin": {"Type": "Pass", "Assign": assign or {"unused": 0}, "Next": "Evaluate"},
                "Evaluate": {"Type": "Succeed", "Output": "{% " + expression + " %}"},
            },
            given,
        )

    def history(self, arn: str) -> list[dict[str, Any]]:
        pages = self.client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    def history_types(self, arn: str) -> list[str]:
        return [event["type"] for event in self.history(arn)]


def task(function: str = "work", **more: Any) -> dict[str, Any]:
    """Return a Task state that calls `function` and ends there, unless told otherwise."""
    arguments = {"FunctionName": function, "Payload": more.pop("payload", {"x": 1})}
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": arguments, **more}
    return state if "Next" in state else {**state, "End": True}
