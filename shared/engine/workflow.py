"""Workflow: a function made of steps, which a Step Functions state machine runs durably.

Its Lambda answers two kinds of call: an SQS batch, whose events it admits by starting an execution each, and a step
call `{"step", "run", "attempt", "input"}` from its state machine.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared import aws
from shared.engine import control
from shared.engine.arrival import Arrival, EventType, data_of
from shared.engine.delivery import ADMISSION_LIMIT
from shared.engine.durations import duration
from shared.engine.envelope import Envelope, canonical_json, json_value
from shared.engine.errors import NonRetryableError, RetryAfter, describe_invalid
from shared.engine.failure import describe, error_of, fail
from shared.engine.function import Function
from shared.engine.identity import RunId
from shared.engine.inbox import is_batch, show_again_in
from shared.engine.ledger import ledger
from shared.engine.payloads import incoming, outgoing
from shared.engine.run import Run
from shared.observability import log_context, logger, measured
from shared.settings import settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from shared.engine.delivery import Delivery
    from shared.engine.durations import Duration
    from shared.engine.effects import OncePolicy
    from shared.engine.row import Row
    from shared.engine.run import LambdaContext

P = ParamSpec("P")
R = TypeVar("R")


class StepCall(BaseModel):
    """What a state machine passes to its Lambda. `attempt` is the state's retry count, from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    run: str
    attempt: int = Field(ge=0)
    input: dict[str, Any]


@dataclass(frozen=True)
class Step:
    """A typed function that a state of the workflow's machine calls.

    `retry_after` says that it may raise RetryAfter; its state then needs the loop that waits as told. `once` says what
    happens when its worker dies between an outside effect and its record.
    """

    name: str
    call: Callable[..., Any]
    once: OncePolicy | None = None
    limit: timedelta | None = None
    retry_after: bool = False

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
                arguments[name] = self._validated(name, declared, incoming(given[name]))
        return arguments

    def _validated(self, name: str, declared: Any, value: Any) -> Any:
        try:
            return TypeAdapter(declared).validate_python(value)
        except ValidationError as error:
            raise NonRetryableError(f"step {self.name}, {name}: {describe_invalid(error)}") from None


class Workflow(Function[EventType]):
    """One function of several steps; their order, waits and retries stand in its ASL file.

    A run's `attempts` are those of its start; a step's attempts are its state's `Retry`.
    """

    @cached_property
    def steps(self) -> dict[str, Step]:
        """The registered steps by name."""
        return {}

    @overload
    def step(self, call: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def step(
        self, /, *, once: OncePolicy | None = None, limit: Duration | None = None, retry_after: bool = False
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def step(
        self,
        call: Callable[P, R] | None = None,
        /,
        *,
        once: OncePolicy | None = None,
        limit: Duration | None = None,
        retry_after: bool = False,
    ) -> Any:
        """Register a function as the step of its name and return it as it is, so that a test can call it.

        Args:
            call: the function, where the decorator stands without arguments.
            once: the step has an effect outside; what happens when its worker dies between the effect and its record:
                `repeat` it, or `stop`, see `shared.engine.effects`.
            limit: the effect's own time limit (default: a minute): how long others take it to be under way.
            retry_after: the step may raise `RetryAfter`, and its state machine waits as told.
        """

        def register(call: Callable[P, R]) -> Callable[P, R]:
            name: str = call.__name__
            assert name not in self.steps, f"{self.id} has two steps {name}"
            self.steps[name] = Step(name, call, once, None if limit is None else duration(limit), retry_after)
            return call

        return register if call is None else register(call)

    def handler(self, event: Any, context: LambdaContext) -> Any:
        """Answer Lambda: an SQS batch with the messages to be delivered again, a step call with its result."""
        if is_batch(event):
            return self._process(event, context)
        return self._run_step(event, context)

    def _receive(self, delivery: Delivery) -> None:
        # An on_failure may take as long as a step; all else is done at once.
        if not control.asks_for("failure", delivery.message.body):
            show_again_in(delivery.message, int(ADMISSION_LIMIT.total_seconds()))
        super()._receive(delivery)

    def _new_row(self, arrival: Arrival, _delivery: Delivery) -> Row:
        return arrival.row("accepted")

    def _begin_new(self, row: Row, delivery: Delivery) -> None:
        self._begin(row, delivery)

    def _begin(self, row: Row, delivery: Delivery) -> None:
        """Start the run's execution, whose name and input depend on nothing but the row."""
        machine = aws.client("stepfunctions")
        try:
            with measured(self.id):
                data_of(row.envelope, self.trigger)
                self._set_deadline(row, delivery.received_at)
                machine.start_execution(
                    stateMachineArn=settings().state_machine_arn,
                    name=str(row.id),
                    input=canonical_json({"event": row.envelope.as_dict()}),
                )
        except machine.exceptions.ExecutionAlreadyExists:
            logger().info("execution had been started")
        except Exception as error:
            last = delivery.message.receive_count >= self.attempts or isinstance(error, NonRetryableError)
            logger().exception("run could not be started", extra={"last": last})
            if not last:
                if row.holder:  # it was admitted: it waits with its slot, so that its policies do not count it twice
                    ledger().wait(row, holder=row.holder, until=delivery.received_at)
                raise
            fail(row, describe(error))
            return
        if ledger().start(row.id):
            logger().info("execution started")
        else:
            self._stop_if_cancelled(row)

    def _stop_if_cancelled(self, row: Row) -> None:
        """Stop an execution whose run was cancelled while it was being started."""
        now = ledger().get(row.id)
        if now is not None and now.status == "cancelled":
            self._stop_execution(now, error_of(now))

    def _seen_running(self, row: Row, _delivery: Delivery) -> None:
        logger().info("duplicate dropped", extra={"status": row.status})

    def _stop(self, row: Row, error: dict[str, Any]) -> None:
        # Also where no start is noted: the worker that started the execution may have died before it could note it.
        is_there = self._stop_execution(row, error)
        if row.status != "running" or not is_there:
            fail(row, error, status="cancelled")  # else the end is recorded as every execution's, from its status event

    def _stop_execution(self, row: Row, error: dict[str, Any]) -> bool:
        """Stop the run's execution; one that has ended stays as it is. Return whether there is one."""
        machine = aws.client("stepfunctions")
        try:
            machine.stop_execution(
                executionArn=row.id.execution_of(settings().state_machine_arn),
                error=error["type"],
                cause=error["message"],
            )
        except machine.exceptions.ExecutionDoesNotExist:
            return False
        return True

    def _is_dead_letter(self, row: Row) -> bool:
        return row.started_at is None  # an execution's end is seen, and tried again, as an execution's

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
                result = outgoing(self._result(step, call, run))
        except RetryAfter as error:
            logger().info("step asks to be tried again later", extra={"seconds": error.seconds})
            raise RetryAfter(error.seconds) from error  # a Catch matches names exactly
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

    def _result(self, step: Step, call: StepCall, run: Run) -> Any:
        arguments = step.arguments(call.input, run, self.trigger)
        if step.once is None:
            return json_value(step.call(**arguments))
        from shared.engine.effects import EFFECT_LIMIT, once  # noqa: PLC0415 (only steps with effects need it)

        # A Map and a loop call the same step of a run with another input each: that is another effect.
        item = canonical_json({name: given for name, given in call.input.items() if name != "event"})
        return once(run, item, lambda: step.call(**arguments), policy=step.once, limit=step.limit or EFFECT_LIMIT)
