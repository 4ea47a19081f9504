# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Make a state's attempts: time them, stop them with the execution, and wait between them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retry_outcome import RetryOutcome
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState

from local.aws.state_machines.copies import copied
from local.aws.state_machines.wiring import wired

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment


class AttemptHistory:
    """The execution's history as one attempt writes it, until the attempt is given up."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._open = True
        self._lock = threading.Lock()

    def add_event(self, *args: Any, **kwargs: Any) -> int:
        """Write an event; what an attempt does after it was given up is not history."""
        with self._lock:
            return int(self._events.add_event(*args, **kwargs)) if self._open else 0

    def close(self) -> None:
        """Take no more events."""
        with self._lock:
            self._open = False

    def get_event_history(self) -> Any:
        """Return the whole execution's events."""
        return self._events.get_event_history()


class _Attempt:
    """One evaluation of a state's work in a thread of its own, which may outlive the attempt."""

    def __init__(self, state: Any, env: Environment) -> None:
        self._state = state
        self._env = env
        self.frame = env.open_frame()
        self.frame.states.reset(input_value=env.states.get_input())
        self.frame.stack = copied(env.stack)
        self._history = AttemptHistory(env.event_manager)
        self.frame.event_manager = self._history
        self._wake = threading.Event()
        self._outcome: tuple[Any, Exception | None] | None = None

    def run(self, seconds: float) -> tuple[Any, Exception | None] | None:
        """Return output and error, or None when the time was over or the execution ended first."""
        signal = self._env.program_state_event
        threading.Thread(target=self._evaluate, name="state-attempt", daemon=True).start()
        signal.follow(self._wake)
        self._wake.wait(seconds)
        signal.unfollow(self._wake)
        self._history.close()
        outcome = self._outcome
        self.frame.set_ended()
        self._env.close_frame(self.frame)
        return outcome

    def _evaluate(self) -> None:
        try:
            self._state._eval_execution(self.frame)
            self._outcome = (self.frame.stack[-1] if self.frame.stack else None, None)
        except Exception as error:  # noqa: BLE001 - moto decides in _from_error what each error is
            self._outcome = (None, error)
        self._wake.set()


def give_up_attempts_on_an_end() -> None:
    """Leave a Lambda call, and any other state's work, as soon as the execution ends.

    moto 5.2.5: `ExecutionState._evaluate_with_timeout` waits for the work or its time-out only, so StopExecution is
    RUNNING until the function returns; what a given-up attempt does later is still written to the history; and an
    evaluation that fails is written twice.
    """
    ExecutionState._evaluate_with_timeout = _attempt
    ExecutionState._eval_state = _attempt_until_done


def _attempt(self: Any, env: Environment) -> None:
    self.timeout.eval(env=env)
    outcome = _Attempt(self, env).run(env.stack.pop())
    if outcome is None:
        if env.is_running():
            raise EvalTimeoutError
        return
    output, error = outcome
    if error is not None:
        raise error
    env.stack.append(output)
    if not self._is_language_query_jsonpath():
        # ResultSelector and ResultPath are JSONPath's; moto would parse the default path `$` at each step.
        env.states.set_result(output)
        if self.assign_decl:
            self.assign_decl.eval(env=env)
        return
    if self.assign_decl:
        self.assign_decl.eval(env=env)
    if self.result_selector:
        self.result_selector.eval(env=env)
    if self.result_path:
        self.result_path.eval(env)
    else:
        env.states.reset(input_value=env.stack.pop())


def _attempt_until_done(self: Any, env: Environment) -> None:
    env.states.context_object.context_object_data["State"]["RetryCount"] = 0
    while env.is_running():
        try:
            self._evaluate_with_timeout(env)
        except Exception as error:  # noqa: BLE001 - the same
            if not env.is_running() or _recover(self, env, error):
                return
        else:
            return


def _recover(self: Any, env: Environment, error: Exception) -> bool:
    """Retry (False), catch (True), or raise: what the state declares for the error."""
    failure = self._from_error(env=env, ex=error)
    if failure.event_type != HistoryEventType.EvaluationFailed:  # that one was written where it arose
        env.event_manager.add_event(
            context=env.event_history_context, event_type=failure.event_type, event_details=failure.event_details
        )
    output = self._construct_error_output_value(failure_event=failure)
    env.states.set_error_output(output)
    env.states.set_result(output)
    if self.retry and self._handle_retry(env=env, failure_event=failure) == RetryOutcome.CanRetry:
        return False
    if self.catch:
        self._handle_catch(env=env, failure_event=failure)
        if env.stack[-1] == CatchOutcome.Caught:
            return True
    raise FailureEventException(failure_event=failure)


def wait_between_attempts_interruptibly() -> None:
    """Wait for a retry's interval by the local time scale, and only as long as the execution runs.

    moto 5.2.5: `RetrierDecl._eval_body` calls `time.sleep(interval)`.
    """
    RetrierDecl._eval_body = _wait_for_next_attempt


def _wait_for_next_attempt(self: Any, env: Environment) -> None:
    self.error_equals.eval(env)
    if not env.stack.pop():
        env.stack.append(RetrierOutcome.Skipped)
        return
    self.max_attempts.eval(env=env)
    if env.stack.pop() == MaxAttemptsOutcome.EXHAUSTED:
        env.stack.append(RetrierOutcome.Failed)
        return
    for part in (self.interval_seconds, self.backoff_rate, self.max_delay_seconds, self.jitter_strategy):
        part.eval(env=env)
    env.program_state_event.wait(wired().time_scale.seconds(env.stack.pop()))
    env.stack.append(RetrierOutcome.Executed)
