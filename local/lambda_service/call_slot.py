"""Where a function's caller and its worker meet: one call at a time is handed over, taken and ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.aws.invocation import Invocation


@dataclass(frozen=True)
class Call:
    """One call as the Runtime API's `next` tells it to a worker; `deadline_ms` is Unix time."""

    request_id: str
    payload: bytes
    function_arn: str
    deadline_ms: int
    trace_id: str


class InitFailedError(Exception):
    """The worker could not load its handler; `payload` is the runtime client's own error document."""

    def __init__(self, payload: bytes) -> None:
        super().__init__("the handler could not be loaded")
        self.payload = payload


class WorkerExitedError(Exception):
    """The worker's process is gone; `took_call` tells whether the call may have had an effect."""

    def __init__(self, reason: str, *, took_call: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.took_call = took_call


class CallSlot:
    """The state that one worker's Runtime API and the worker's caller share."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_loaded = False
        self._init_error: bytes | None = None
        self._waiting: Call | None = None
        self._running: Call | None = None
        self._end: Invocation | None = None
        self._exit_reason: str | None = None

    # The caller's side.

    def wait_until_loaded(self, seconds: float) -> None:
        """Return when the worker asked for its first call; raise InitFailedError, WorkerExitedError or TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(self._is_init_over, seconds):
                raise TimeoutError
            if self._init_error is not None:
                raise InitFailedError(self._init_error)
            if self._exit_reason is not None:
                # A process that was loaded and died idle did nothing with this call.
                raise WorkerExitedError(self._exit_reason, took_call=not self._is_loaded)

    def run(self, call: Call, seconds: float) -> Invocation:
        """Hand the call over and wait for its end; raise WorkerExitedError or TimeoutError."""
        with self._changed:
            self._waiting, self._running, self._end = call, None, None
            self._changed.notify_all()
            if not self._changed.wait_for(self._is_call_over, seconds):
                raise TimeoutError
            return self._result()

    @property
    def request_id(self) -> str | None:
        """The call that is with the worker, if any."""
        with self._changed:
            call = self._running or self._waiting
            return None if call is None or self._end is not None else call.request_id

    # The worker's side.

    def take(self, is_connected: Callable[[], bool]) -> Call | None:
        """Wait for the next call; None when there will be none, or when the worker that asked is gone."""
        with self._changed:
            self._is_loaded = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting is not None or self._exit_reason is not None)
            if self._waiting is None or self._exit_reason is not None or not is_connected():
                return None
            self._running, self._waiting = self._waiting, None
            return self._running

    def end(self, request_id: str, end: Invocation) -> bool:
        """Record how a call ended; False when this is not the running call."""
        with self._changed:
            if self._running is None or self._running.request_id != request_id or self._end is not None:
                return False
            self._end = end
            self._changed.notify_all()
            return True

    def fail_init(self, payload: bytes) -> bool:
        """Record that the handler could not be loaded; False when it was loaded long ago."""
        with self._changed:
            if self._is_loaded:
                return False
            self._init_error = payload
            self._changed.notify_all()
            return True

    def close(self, exit_reason: str) -> None:
        """Record that the process is gone: every wait ends."""
        with self._changed:
            self._exit_reason = self._exit_reason or exit_reason
            self._changed.notify_all()

    def _result(self) -> Invocation:
        if self._end is not None:
            return self._end
        assert self._exit_reason is not None
        raise WorkerExitedError(self._exit_reason, took_call=self._running is not None)

    def _is_init_over(self) -> bool:
        return self._is_loaded or self._init_error is not None or self._exit_reason is not None

    def _is_call_over(self) -> bool:
        return self._end is not None or self._exit_reason is not None
