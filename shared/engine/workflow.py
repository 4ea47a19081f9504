"""Workflow: a function made of steps, which a Step Functions state machine runs durably.

Its Lambda answers two kinds of call: an SQS batch, whose events it admits by starting an execution each, and a step
call `{"step", "run", "attempt", "input"}` from its state machine.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared import aws
from shared.engine.arrival import Arrival, EventType, arrive, data_of
from shared.engine.envelope import Envelope, canonical_json, json_value
from shared.engine.errors import InvalidMessageError, NonRetryableError, describe_invalid
from shared.engine.failure import describe, fail, tell_failure
from shared.engine.identity import RunId
from shared.engine.inbox import Message, is_batch, process, show_again_in
from shared.engine.ledger import Row, ledger
from shared.engine.run import Run
from shared.observability import log_context, logger, measured
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engine.run import LambdaContext

P = ParamSpec("P")
R = TypeVar("R")

# An inbox call takes milliseconds, though its queue must allow for a step's time: what fails is tried again soon.
ADMISSION_VISIBILITY_SECONDS: Final = 60


class StepCall(BaseModel):
    """What a state machine passes to its Lambda. `attempt` is the state's retry count, from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    run: str
    attempt: int = Field(ge=0)
    input: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A typed function that a state of the workflow's machine calls."""

    name: str
    call: Callable[..., Any]

    @cached_property
    def types(self) -> dict[str, Any]:
        """The declared types of the parameters."""
        hints = get_type_hints(self.call, include_extras=True)
        return {name: hints[name] for name in inspect.signature(self.call).parameters}

    @property
    def parameters(self) -> frozenset[str]:
        """The names that the state's `input` must give: all parameters but the `Run`."""
        return frozenset(name for name, declared in self.types.items() if declared is not Run)

    def arguments(self, given: dict[str, Any], run: Run, trigger: type[EventType]) -> dict[str, Any]:
        """Return the step's arguments from a state's input; raise NonRetryableError where they do not fit."""
        if (expected := self.parameters | {"event"}) != given.keys():
            raise NonRetryableError(f"step {self.name} takes {sorted(expected)}, not {sorted(given)}")
        arguments: dict[str, Any] = {}
        for name, declared in self.types.items():
            if declared is Run:
                arguments[name] = run
            elif name == "event":
                arguments[name] = data_of(run.envelope, trigger)
            else:
                arguments[name] = self._validated(name, declared, given[name])
        return arguments

    def _validated(self, name: str, declared: Any, value: Any) -> Any:
        try:
            return TypeAdapter(declared).validate_python(value)
        except ValidationError as error:
            raise NonRetryableError(f"step {self.name}, {name}: {describe_invalid(error)}") from None


class Workflow(Generic[EventType]):
    """One function of several steps; their order, waits and retries stand in its ASL file.

    Args:
        id: the function's kebab-case id.
        trigger: the event that starts a run.
        attempts: how often starting a run is tried before it has failed. A step's attempts are its state's `Retry`.
    """

    def __init__(self, id: str, *, trigger: type[EventType], attempts: int = 5) -> None:  # noqa: A002 (the id is one)
        self.id = id
        self.trigger = trigger
        self.attempts = attempts
        self.steps: dict[str, Step] = {}

    def step(self, call: Callable[P, R]) -> Callable[P, R]:
        """Register `call` as the step of its name and return it as it is, so that a test can call it."""
        name: str = call.__name__
        assert name not in self.steps, f"{self.id} has two steps {name}"
        self.steps[name] = Step(name, call)
        return call

    def handler(self, event: Any, context: LambdaContext) -> Any:
        """Answer Lambda: an SQS batch with the messages to be delivered again, a step call with its result."""
        if is_batch(event):
            return process(event, self._receive)
        return self._run_step(event, context)

    def _receive(self, message: Message) -> None:
        show_again_in(message, ADMISSION_VISIBILITY_SECONDS)
        arrival = arrive(self.id, self.trigger, message)
        if arrival is None:
            return
        with log_context(function=self.id, run_id=str(arrival.run), event_id=arrival.envelope.event_id):
            new = arrival.row("accepted")
            row = ledger().create(new) or new
            if row.status == "accepted":
                self._start(row, arrival)
            elif row.failure == "pending" and row.started_at is None:
                tell_failure(row, message.body)
            else:
                logger().info("duplicate dropped", extra={"status": row.status})

    def _start(self, row: Row, arrival: Arrival) -> None:
        """Start the run's execution, whose name and input depend on nothing but the row."""
        machine = aws.client("stepfunctions")
        try:
            with measured(self.id):
                data_of(row.envelope, self.trigger)
                machine.start_execution(
                    stateMachineArn=settings().state_machine_arn,
                    name=str(row.id),
                    input=canonical_json({"event": row.envelope.as_dict()}),
                )
        except machine.exceptions.ExecutionAlreadyExists:
            logger().info("execution had been started")
        except InvalidMessageError as error:
            logger().exception("run cannot be started")
            fail(row, arrival.message.body, describe(error))
            return
        except Exception as error:
            if arrival.message.receive_count < self.attempts:
                raise
            logger().exception("run could not be started")
            fail(row, arrival.message.body, describe(error))
            return
        ledger().start(row.id)
        logger().info("execution started")

    def _run_step(self, event: Any, context: LambdaContext) -> Any:
        try:
            call = StepCall.model_validate(event)
            run_id = RunId.parse(call.run)
            envelope = Envelope.model_validate(call.input.get("event"))
        except ValueError as error:
            problem = describe_invalid(error) if isinstance(error, ValidationError) else str(error)
            raise NonRetryableError(f"not a step call: {problem}") from None
        step = self.steps.get(call.step)
        if step is None:
            raise NonRetryableError(f"{self.id} has no step {call.step!r}")
        run = Run(run_id, self.id, envelope, attempt=call.attempt + 1, step=call.step, context=context)
        with log_context(function=self.id, run_id=call.run, step=call.step, attempt=run.attempt):
            return self._answer(step, call, run)

    def _answer(self, step: Step, call: StepCall, run: Run) -> Any:
        try:
            with measured(self.id):
                result = json_value(step.call(**step.arguments(call.input, run, self.trigger)))
        except NonRetryableError as error:
            logger().exception("step cannot succeed")
            if type(error) is NonRetryableError:
                raise
            raise NonRetryableError(f"{type(error).__name__}: {error}") from error  # a Retry matches names exactly
        except Exception:
            logger().exception("step failed")
            raise
        logger().info("step completed", extra={"result": result})
        return result
