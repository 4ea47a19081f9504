"""The warm workers of one function: at most so many, started when first needed, reused while they are well."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.lambda_service.workers import Worker


class ServiceStoppedError(RuntimeError):
    """The local Lambda service takes no calls: it was not started, or it is stopping."""


class WorkerPool:
    """Lends workers out; who asks when all are busy waits."""

    def __init__(self, limit: int, start: Callable[[], Worker], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._start = start
        self._clock = clock
        self._returned = threading.Condition()
        self._idle: list[Worker] = []  # the one that ended last at the end
        self._idle_since: dict[Worker, float] = {}
        self._lent: list[Worker] = []
        self._starting = 0
        self._is_stopped = False

    def acquire(self) -> Worker:
        """A worker for this thread alone, until it is released; raise ServiceStoppedError."""
        with self._returned:
            while True:
                self._refuse_when_stopped()
                self._forget([worker for worker in self._idle if not worker.is_usable])
                if self._idle:
                    # The one that ended last is the warmest, and the others may stay asleep.
                    worker = self._idle[-1]
                    self._forget([worker])
                    self._lent.append(worker)
                    return worker
                if len(self._lent) + self._starting < self._limit:
                    break
                self._returned.wait()
            self._starting += 1
        return self._start_one()

    def release(self, worker: Worker) -> None:
        """Take a worker back; one that exited or was killed is forgotten."""
        with self._returned:
            self._lent.remove(worker)
            if worker.is_usable:
                self._idle.append(worker)
                self._idle_since[worker] = self._clock()
            self._returned.notify()

    def end_idle(self, seconds: float) -> int:
        """Kill the workers that had no call for `seconds`; the next calls start others. Return how many they were."""
        with self._returned:
            before = self._clock() - seconds
            idle = [worker for worker in self._idle if self._idle_since[worker] <= before]
            self._forget(idle)
        for worker in idle:
            worker.end()
        return len(idle)

    def workers(self) -> list[tuple[Worker, bool]]:
        """Every live worker, and whether it is lent out."""
        with self._returned:
            pairs = [*((worker, True) for worker in self._lent), *((worker, False) for worker in self._idle)]
        return [pair for pair in pairs if pair[0].is_usable]

    def stop(self, seconds: float) -> None:
        """Kill every worker and wait for their ends; callers that wait get ServiceStoppedError."""
        with self._returned:
            self._is_stopped = True
            # The lifeline that a starting worker inherits must still be open.
            self._returned.wait_for(lambda: self._starting == 0, seconds)
            workers = self._lent + self._idle
            self._forget(self._idle)
            self._returned.notify_all()
        for worker in workers:
            worker.kill()
        give_up = time.monotonic() + seconds
        for worker in workers:
            worker.wait(max(0.0, give_up - time.monotonic()))

    def _start_one(self) -> Worker:
        worker: Worker | None = None
        try:
            worker = self._start()
        finally:
            with self._returned:
                self._starting -= 1
                if worker is not None:
                    self._lent.append(worker)
                self._returned.notify_all()
        if self._is_stopped:
            worker.end()
            self.release(worker)
            self._refuse_when_stopped()
        return worker

    def _forget(self, idle: list[Worker]) -> None:
        for worker in list(idle):
            self._idle.remove(worker)
            del self._idle_since[worker]

    def _refuse_when_stopped(self) -> None:
        if self._is_stopped:
            raise ServiceStoppedError("the local Lambda service is stopped")
