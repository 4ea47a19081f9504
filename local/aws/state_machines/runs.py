# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Run an execution to its one end, and tell that end whole: status, output, error, history, event."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from typing import Any

from moto.stepfunctions.parser.api import (
    ExecutionStartedEventDetails,
    ExecutionStatus,
    HistoryEventExecutionDataDetails,
    HistoryEventType,
)
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramRunning,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication, Execution
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.parser.utils import TMP_THREADS

from local.aws.state_machines.histories import belongs_to
from local.aws.state_machines.json_values import aws_time
from local.aws.state_machines.status_events import publish_status

logger = logging.getLogger(__name__)

_STATUS_OF_END = {
    ProgramEnded: ExecutionStatus.SUCCEEDED,
    ProgramStopped: ExecutionStatus.ABORTED,
    ProgramError: ExecutionStatus.FAILED,
    ProgramTimedOut: ExecutionStatus.TIMED_OUT,
}


class EndSignal(threading.Event):
    """Set once an environment has ended, and sets what follows it."""

    def __init__(self) -> None:
        super().__init__()
        self._following: set[threading.Event] = set()
        self._following_lock = threading.Lock()

    def set(self) -> None:
        """Wake everyone who waits for the end."""
        super().set()
        with self._following_lock:
            following = tuple(self._following)
        for event in following:
            event.set()

    def clear(self) -> None:
        """Stay set: an end is not taken back."""

    def follow(self, event: threading.Event) -> None:
        """Set `event` too, now if the end was already."""
        with self._following_lock:
            self._following.add(event)
        if self.is_set():
            event.set()

    def unfollow(self, event: threading.Event) -> None:
        """Forget `event`."""
        with self._following_lock:
            self._following.discard(event)


def keep_the_end_signal_set() -> None:
    """Let a wait that begins just after the end return at once.

    moto 5.2.5: `Environment` sets `program_state_event` at an end and clears it in the next line, so a Wait that
    begins just then sleeps to its full length.
    """
    initialize = Environment.__init__

    def initialize_with_signal(self: Any, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        self.program_state_event = EndSignal()

    Environment.__init__ = initialize_with_signal


def let_the_first_end_win() -> None:
    """Keep ABORTED when a step that is still running fails afterwards.

    moto 5.2.5: `Environment.set_error` and `set_timed_out` write over any earlier end.
    """
    for name in ("set_error", "set_timed_out"):
        setattr(Environment, name, _only_while_running(getattr(Environment, name)))


def _only_while_running(end: Any) -> Any:
    def end_if_running(self: Any, *args: Any, **kwargs: Any) -> None:
        with self._state_mutex:
            if self._program_state is None or isinstance(self._program_state, ProgramRunning):
                end(self, *args, **kwargs)

    return end_if_running


def time_out_with_an_event() -> None:
    """End a machine at its TimeoutSeconds with ExecutionTimedOut as its last event.

    moto 5.2.5: `Program.eval` abandons the thread that runs the states, so TIMED_OUT shows before that thread, if it
    ever wakes, writes ExecutionTimedOut. Here everything that blocks ends with the environment, so one thread does.
    """
    Program.eval = _run_program


def _run_program(self: Any, env: Environment) -> None:
    with env._state_mutex:  # a stop may come before the first state
        if env._program_state is None or env.is_running():
            env.next_state_name = getattr(env, "begin_at", self.start_at.start_at_name)  # a redrive begins elsewhere
    timer = None
    if self.timeout_seconds:
        timer = threading.Timer(self.timeout_seconds.timeout_seconds, env.set_timed_out)
        timer.daemon = True
        timer.start()
    try:
        self._eval_body(env)
    finally:
        if timer is not None:
            timer.cancel()


def prepare_before_the_thread_starts() -> None:
    """Make an execution's environment before anyone can ask for it.

    moto 5.2.5: `ExecutionWorker` makes it in its thread: StopExecution and GetExecutionHistory right after
    StartExecution find None, and a stop before the first state is lost. Its context object has the start as a
    datetime, which is no JSON, and no RedriveCount. `TMP_THREADS` keeps every thread for ever.
    """
    ExecutionWorker.start = _start_worker
    Execution.start = _start_execution


def _start_execution(self: Any) -> None:
    self.ended = threading.Event()
    self.exec_worker = self._get_start_execution_worker()
    self.exec_status = ExecutionStatus.RUNNING
    worker = self.exec_worker
    worker.program = worker._get_evaluation_entrypoint()
    worker.env = worker._get_evaluation_environment()
    worker.env.next_state_name = worker.program.start_at.start_at_name
    belongs_to(worker.env.event_manager, worker.env)
    context = worker.env.states.context_object.context_object_data["Execution"]
    context.update(StartTime=aws_time(context["StartTime"]), RedriveCount=0)
    worker.env.event_manager.add_event(
        context=worker.env.event_history_context,
        event_type=HistoryEventType.ExecutionStarted,
        event_details=EventDetails(
            executionStartedEventDetails=ExecutionStartedEventDetails(
                input=self.execution_input,
                inputDetails=HistoryEventExecutionDataDetails(truncated=False),
                roleArn=self.role_arn,
            )
        ),
        update_source_event_id=False,
    )


def _start_worker(self: Any) -> None:
    def run() -> None:
        try:
            self.program.eval(self.env)
        finally:
            self._execution_communication.terminated()
            TMP_THREADS.clear()

    threading.Thread(target=run, name="state-machine", daemon=True).start()


def reflect_the_end_whole() -> None:
    """Show an execution's end in one moment, with its error and cause, and put it on the bus.

    moto 5.2.5: `_reflect_execution_status` sets the status before the output, drops a stop's error and cause, and keeps
    the output as a value, of which DescribeExecution shows strings without quotes and null not at all. It publishes
    no event.
    """
    BaseExecutionWorkerCommunication._reflect_execution_status = _reflect


def _reflect(self: Any) -> None:
    execution = self.execution
    env = execution.exec_worker.env
    end = env.program_state()
    status = _STATUS_OF_END.get(type(end), ExecutionStatus.FAILED)
    if isinstance(end, ProgramEnded):
        output = env.states.get_input()
        execution.output = json.dumps(output, ensure_ascii=False, separators=(",", ":"), default=str)
    elif isinstance(end, ProgramStopped):
        execution.error, execution.cause = end.error, end.cause
    elif isinstance(end, ProgramError):
        error = end.error or {}
        execution.error, execution.cause = error.get("error"), error.get("cause")
    stopped = end.stop_date if isinstance(end, ProgramStopped) else None
    execution.stop_date = stopped or dt.datetime.now(dt.UTC)
    execution.exec_status = status
    publish_status(execution)
    execution.ended.set()
