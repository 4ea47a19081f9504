"""Run Lambda's runtime client in a process that ends when the stack that started it is gone.

Started by its path: `python -P launcher.py <lifeline> <handler>`. The lifeline is the read end of a pipe whose write
end only the stack holds. However the stack ends, SIGKILL included, the kernel closes the pipe and this process ends
with its whole group. The runtime client alone would not: it misses its Runtime API only when it asks for the next
call, so a handler that sleeps, or never returns, would outlive the stack. A pipe also works where prctl(2) does not.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from awslambdaric.__main__ import main as run_runtime_client


def end_with_stack(lifeline: int) -> None:
    """Wait until nobody holds the other end, then end this process and what it started."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Watch the lifeline and serve calls until the process is ended."""
    lifeline, handler = int(sys.argv[1]), sys.argv[2]
    os.set_inheritable(lifeline, False)  # noqa: FBT003 - the call takes no keyword
    threading.Thread(target=end_with_stack, args=(lifeline,), daemon=True).start()
    # What a handler reads from sys.argv is what `python -m awslambdaric <handler>` would show it.
    sys.argv = ["awslambdaric", handler]
    run_runtime_client(sys.argv)


if __name__ == "__main__":
    main()
