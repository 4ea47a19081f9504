"""One worker: a process that runs the function's handler under AWS's own runtime client, one call at a time."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from local.aws.invocation import Invocation
from local.lambda_service.call_slot import Call, CallSlot, InitFailedError, WorkerExitedError
from local.lambda_service.memory import MemoryUse, resident_mb
from local.lambda_service.runtime_api import RESPONSE_TOO_LARGE, RuntimeApi

if TYPE_CHECKING:
    from local.lambda_service.function_config import FunctionConfig, Sandbox

LAUNCHER = Path(__file__).with_name("launcher.py")
# AWS gives the init phase 10 s, then runs it once more within the function's own time-out. Imports take real time,
# so neither part is scaled.
INIT_SECONDS = 10.0
KILLED_SECONDS = 5.0


class DiedIdleError(Exception):
    """The worker was gone before it took the call, which another worker can therefore have."""


class Worker:
    """A process of one function. `call` may be used by one thread at a time; everything else by any."""

    def __init__(self, function: FunctionConfig, sandbox: Sandbox, lifeline: int) -> None:
        self._function = function
        self._log_path = sandbox.log_path(function)
        self._slot = CallSlot()
        self._api = RuntimeApi(self._slot)
        self._exited = threading.Event()
        self._is_retired = False
        try:
            self._process = self._start(sandbox, lifeline)
        except BaseException:
            self._api.close()
            raise
        threading.Thread(target=self._watch, name=f"worker-{self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process, which leads a group of its own."""
        return self._process.pid

    @property
    def request_id(self) -> str | None:
        """The call that it works on."""
        return self._slot.request_id

    @property
    def memory(self) -> MemoryUse | None:
        """What the process holds of the memory that its function has; None where the system does not tell."""
        resident = resident_mb(self.pid)
        return None if resident is None else MemoryUse(self._function.name, resident, self._function.memory_mb)

    @property
    def is_usable(self) -> bool:
        """Whether it can take another call."""
        return not self._is_retired and not self._exited.is_set()

    def call(self, request_id: str, function_arn: str, payload: bytes, seconds: float) -> Invocation:
        """Run one call with a deadline of `seconds` from when the handler is loaded; raise DiedIdleError."""
        try:
            self._slot.wait_until_loaded(INIT_SECONDS + self._function.timeout_seconds)
            deadline_ms = int((time.time() + seconds) * 1000)
            call = Call(request_id, payload, function_arn, deadline_ms, _trace_id())
            invocation = self._slot.run(call, seconds)
        except InitFailedError as error:
            self.end()
            return Invocation(error.payload, "Unhandled")
        except TimeoutError:
            self.end()
            return self._timed_out(request_id)
        except WorkerExitedError as error:
            self.end()
            if not error.took_call:
                raise DiedIdleError(error.reason) from None
            return self.exit_error(request_id, error.reason)
        if invocation is RESPONSE_TOO_LARGE:
            # The runtime client takes the 413 for the end of its world and exits, as it does on AWS.
            self.end()
        return invocation

    def exit_error(self, request_id: str, reason: str) -> Invocation:
        """What a call answers whose process exited."""
        return self._platform_error(request_id, "Runtime.ExitError", reason)

    def kill(self) -> None:
        """End the process and what it started, without waiting."""
        self._is_retired = True
        if not self._exited.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Wait for the process's end; False when it is still there after `seconds`."""
        return self._exited.wait(seconds)

    def end(self) -> None:
        """Kill it and wait: whoever sees a failed call may rely on its process being gone, as on AWS."""
        self.kill()
        self.wait(KILLED_SECONDS)

    def _start(self, sandbox: Sandbox, lifeline: int) -> subprocess.Popen[bytes]:
        with self._log_path.open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our interpreter, our launcher, a handler name from the template
                # -P: else the launcher's directory would be the first that the handler imports from.
                [sys.executable, "-P", str(LAUNCHER), str(lifeline), self._function.handler],
                cwd=sandbox.code_root,
                env=sandbox.environment(self._function, self._api.address),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[lifeline],
                start_new_session=True,
            )

    def _watch(self) -> None:
        """Tell everyone who waits as soon as the process is gone."""
        # The id of an unreaped process cannot be another's, so the group is killed before the process is reaped.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        reason = exit_reason(self._process.wait())
        self._exited.set()
        self._slot.close(reason)
        self._api.close()

    def _timed_out(self, request_id: str) -> Invocation:
        reason = f"Task timed out after {self._function.timeout_seconds:.2f} seconds"
        return self._platform_error(request_id, "Sandbox.Timedout", reason)

    def _platform_error(self, request_id: str, error_type: str, reason: str) -> Invocation:
        """The error document that Lambda itself writes when the runtime could not, and its line in the log."""
        message = f"RequestId: {request_id} Error: {reason}"
        with self._log_path.open("a", encoding="utf-8") as log:
            log.write(f"{message}\n{error_type}\n")
        return Invocation(json.dumps({"errorType": error_type, "errorMessage": message}).encode(), "Unhandled")


def exit_reason(returncode: int) -> str:
    """Why a runtime is gone, in Lambda's words, which are those of Go's os/exec."""
    if returncode == 0:
        return "Runtime exited without providing a reason"
    if returncode > 0:
        return f"Runtime exited with error: exit status {returncode}"
    words = signal.strsignal(-returncode) or f"signal {-returncode}"
    return f"Runtime exited with error: signal: {words.partition(':')[0].lower()}"


def _trace_id() -> str:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return f"Root={root};Parent={secrets.token_hex(8)};Sampled=0"
