"""Look after the workers of a stack: end those that are idle for long, and those that take more memory than they have.

Lambda gives a function its MemorySize and no more: the sandbox that takes more is killed in mid-call, and the call ends
with Runtime.ExitError, `signal: killed`. Here the resident memory of busy workers is read ten times a second, so a
moment's excess may be missed; what a handler's own child processes hold is not counted.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.lambda_service.pool import WorkerPool

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
JOIN_SECONDS = 5.0


class WorkerKeeper:
    """A thread that looks at all pools again and again."""

    def __init__(self, pools: Callable[[], Iterable[WorkerPool]], idle_seconds: float) -> None:
        self._pools = pools
        self._idle_seconds = idle_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look after the workers from now on."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="worker-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the workers alone."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def look(self) -> None:
        """Look once."""
        for pool in self._pools():
            for worker, is_busy in pool.workers():
                if is_busy and (use := worker.memory) is not None and use.is_over:
                    logger.warning("%s is killed: it uses %.0f MB of %d", use.function, use.resident_mb, use.limit_mb)
                    worker.kill()
            pool.end_idle(self._idle_seconds)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                logger.exception("the workers could not be looked after")  # now; the next look may do
