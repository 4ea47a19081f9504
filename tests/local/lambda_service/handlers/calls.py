"""Handlers that the tests of the local Lambda service run in real workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


def echo(event: Any, context: Any) -> Any:
    return event


def describe(event: Any, context: Any) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
        "directory": str(Path.cwd()),
        "first_path": sys.path[0],
        "stdin": sys.stdin.read(),
    }


def pid(event: Any, context: Any) -> int:
    return os.getpid()


def print_line(event: Any, context: Any) -> None:
    sys.stdout.write(event["line"] + "\n")
    sys.stderr.write("from stderr\n")


def end(event: Any, context: Any) -> Any:
    """End the process, or the call, in the way that the event names."""
    match event["how"]:
        case "raise":
            raise ValueError("no such organization: ü")
        case "sys.exit":
            sys.exit(event["status"])
        case "os._exit":
            os._exit(event["status"])
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "object":
            return object()
        case "bytes":
            return b"\x00\x01"
    return os.getpid()


def wait(event: Any, context: Any) -> int:
    """Say that the call began, then work until the file that ends it is there."""
    partial = Path(event["directory"]) / f"partial-{context.aws_request_id}"
    partial.write_text(str(os.getpid()))
    partial.rename(partial.with_name(f"started-{context.aws_request_id}"))  # whole, or not there yet
    while not (Path(event["directory"]) / "go").exists():
        time.sleep(0.005)
    return os.getpid()


def wait_with_child(event: Any, context: Any) -> int:
    child = subprocess.Popen(["sleep", "600"])
    (Path(event["directory"]) / "child").write_text(str(child.pid))
    return wait(event, context)


def of_size(event: Any, context: Any) -> str:
    # Two bytes are the quotes of the JSON text.
    return "x" * int(event["bytes"] - 2)


def length(event: Any, context: Any) -> int:
    return len(event)


def hold(event: Any, context: Any) -> int:
    """Take so much memory, touch all of it, and hold it as long as `wait` waits."""
    held = bytearray(event["mb"] * 1024 * 1024)
    held[::4096] = b"x" * len(held[::4096])
    wait(event, context)
    return len(held)
