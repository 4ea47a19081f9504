"""Services with real worker processes, and what their tests wait and look with."""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from local.aws.access.credentials import Credentials
from local.aws.time_scale import TimeScale
from local.lambda_service.service import IDLE_SECONDS, FunctionConfig, LambdaService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANDLERS = Path(__file__).parent / "handlers"
REGION, ACCOUNT = "us-east-1", "123456789012"


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Return when the condition holds; fail the test when it does not in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true in time"
        threading.Event().wait(0.01)


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie that nobody reaped yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def answer_of(service: LambdaService, name: str, event: object) -> Any:
    """What a call answers that must succeed."""
    invocation = service(name, json.dumps(event).encode())
    assert invocation.function_error is None, invocation.payload
    return json.loads(invocation.payload)


def error_of(service: LambdaService, name: str, event: object) -> dict[str, Any]:
    """The error document of a call that must fail."""
    invocation = service(name, json.dumps(event).encode())
    assert invocation.function_error == "Unhandled", invocation.payload
    document: dict[str, Any] = json.loads(invocation.payload)
    return document


class MakeService(Protocol):
    def __call__(
        self,
        *functions: FunctionConfig,
        max_workers: int = 4,
        time_scale: TimeScale | None = None,
        code_root: Path = HANDLERS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> LambdaService: ...


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def make_service(log_dir: Path) -> Iterator[MakeService]:
    services: list[LambdaService] = []

    def make(
        *functions: FunctionConfig,
        max_workers: int = 4,
        time_scale: TimeScale | None = None,
        code_root: Path = HANDLERS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> LambdaService:
        service = LambdaService(
            functions,
            code_root=code_root,
            log_dir=log_dir,
            endpoint_url="http://127.0.0.1:9",
            region=REGION,
            account=ACCOUNT,
            credentials=lambda function: Credentials("key", f"secret of {function.name}", "token"),
            max_workers=max_workers,
            time_scale=time_scale or TimeScale(),
            idle_seconds=idle_seconds,
        )
        service.start()
        services.append(service)
        return service

    yield make
    for service in services:
        service.stop()


def function(name: str, handler: str = "", **settings: Any) -> FunctionConfig:
    """A function of `handlers/calls.py` with time to spare, unless told otherwise."""
    settings.setdefault("timeout_seconds", 60.0)
    return FunctionConfig(f"nightshift_{name}", handler or f"calls.{name.replace('-', '_')}", **settings)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor
