"""Call a function by its name: find it, lend it a worker, hold the call to its deadline."""

from __future__ import annotations

import os
import re
import uuid
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from local.aws.invocation import FunctionNotFoundError, Invocation
from local.lambda_service.function_config import FunctionConfig, Sandbox
from local.lambda_service.keeper import WorkerKeeper
from local.lambda_service.pool import ServiceStoppedError, WorkerPool
from local.lambda_service.workers import DiedIdleError, Worker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from local.aws.time_scale import TimeScale
    from local.lambda_service.function_config import CredentialSource

__all__ = ["FunctionConfig", "LambdaService", "RequestTooLargeError", "ServiceStoppedError", "WorkerStatus"]

REQUEST_LIMIT = 6 * 1024 * 1024
STOP_SECONDS = 5.0
# Real seconds, whatever the time scale: what a worker frees is real memory. Lambda does not say how long it waits.
IDLE_SECONDS = 300.0
# A worker that dies between two calls costs nobody a call, but a module that always does so must be told.
IDLE_DEATHS = 3

# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html: a name, a partial ARN or an ARN, with a qualifier.
FUNCTION_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_-]+)(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)


class RequestTooLargeError(ValueError):
    """The payload is longer than Lambda takes (RequestTooLargeException)."""


@dataclass(frozen=True)
class WorkerStatus:
    """One live worker, as the console and the tests see it."""

    function: str
    pid: int
    busy: bool
    request_id: str | None


class LambdaService:
    """The functions of one stack and their worker processes. Implements Invoker; every method is thread-safe."""

    def __init__(  # noqa: PLR0913 - the parts of one stack, each named by the caller
        self,
        functions: Iterable[FunctionConfig],
        *,
        code_root: Path,
        log_dir: Path,
        endpoint_url: str,
        region: str,
        account: str,
        credentials: CredentialSource,
        max_workers: int,
        time_scale: TimeScale,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._sandbox = Sandbox(code_root.resolve(), log_dir.resolve(), endpoint_url, region, account, credentials)
        self._max_workers = max_workers
        self._time_scale = time_scale
        self._pools: dict[str, WorkerPool] = {}
        self._keeper = WorkerKeeper(self._pools_now, idle_seconds)
        self._lifeline: tuple[int, int] | None = None

    def start(self) -> None:
        """Take calls from now on; workers start when they are first needed."""
        self._sandbox.log_dir.mkdir(parents=True, exist_ok=True)
        # The workers hold the read end and end when nobody holds the other: see launcher.py.
        self._lifeline = os.pipe()
        self._pools = {
            name: WorkerPool(self.concurrency(name), partial(Worker, function, self._sandbox, self._lifeline[0]))
            for name, function in self._functions.items()
        }
        self._keeper.start()

    def stop(self) -> None:
        """Kill every worker; calls that run end with Runtime.ExitError, calls that wait with ServiceStoppedError."""
        self._keeper.stop()
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.stop(STOP_SECONDS)
        lifeline, self._lifeline = self._lifeline, None
        for end in lifeline or ():
            os.close(end)

    def _pools_now(self) -> list[WorkerPool]:
        return list(self._pools.values())

    def concurrency(self, function_name: str) -> int:
        """How many calls of a function run at once."""
        function = self._functions[function_name]
        return max(1, min(function.maximum_concurrency or self._max_workers, self._max_workers))

    def arn(self, function_name: str) -> str:
        """The ARN that a function's name or ARN means, with its qualifier; raise FunctionNotFoundError."""
        return self._find(function_name)[1]

    def workers(self) -> list[WorkerStatus]:
        """Every live worker, in the order of the functions."""
        return [
            WorkerStatus(name, worker.pid, busy, worker.request_id)
            for name, pool in self._pools.items()
            for worker, busy in pool.workers()
        ]

    def __call__(self, function_name: str, payload: bytes) -> Invocation:
        """Run one call to its end; waits while all workers are busy.

        Raises FunctionNotFoundError, RequestTooLargeError (more than 6 MB) and ServiceStoppedError.
        """
        function, arn = self._find(function_name)
        if len(payload) > REQUEST_LIMIT:
            raise RequestTooLargeError(
                f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
                f"(limit {REQUEST_LIMIT} bytes)"
            )
        pool = self._pools.get(function.name)
        if pool is None:
            raise ServiceStoppedError("the local Lambda service is not started")
        request_id = str(uuid.uuid4())
        seconds = self._time_scale.seconds(function.timeout_seconds)
        deaths = 0
        while True:
            worker = pool.acquire()
            try:
                return worker.call(request_id, arn, payload, seconds)
            except DiedIdleError as error:
                deaths += 1
                if deaths == IDLE_DEATHS:
                    return worker.exit_error(request_id, str(error))
            finally:
                pool.release(worker)

    def _find(self, function_name: str) -> tuple[FunctionConfig, str]:
        """The function that a name or an ARN means, and its ARN as the call's context shows it."""
        match = FUNCTION_NAME.fullmatch(function_name)
        function = self._functions.get(match["name"]) if match else None
        if (
            match is None
            or function is None
            or match["region"] not in {None, self._sandbox.region}
            or match["account"] not in {None, self._sandbox.account}
        ):
            raise FunctionNotFoundError(f"Function not found: {function_name}")
        arn = self._sandbox.arn(function.name)
        return function, f"{arn}:{match['qualifier']}" if match["qualifier"] else arn
