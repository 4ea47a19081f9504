"""Workers that take more memory than they have, or nothing to do."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from local.lambda_service.memory import MemoryUse, resident_mb
from tests.local.lambda_service.conftest import answer_of, error_of, function, is_running, wait_until

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from tests.local.lambda_service.conftest import MakeService

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what memory a process holds")


@on_linux
def test_a_call_that_takes_more_memory_than_its_function_has_is_killed(
    make_service: MakeService, tmp_path: Path, log_dir: Path
) -> None:
    service = make_service(function("hold", memory_mb=160), max_workers=1)
    event = {"directory": str(tmp_path)}

    error = error_of(service, "nightshift_hold", event | {"mb": 200})

    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
    assert error["errorMessage"] in (log_dir / "hold.log").read_text()
    assert service.workers() == []
    (tmp_path / "go").touch()
    assert answer_of(service, "nightshift_hold", event | {"mb": 1}) == 1024 * 1024


@on_linux
def test_a_call_within_its_memory_is_left_alone(
    make_service: MakeService, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    service = make_service(function("hold", memory_mb=512))
    call = threads.submit(answer_of, service, "nightshift_hold", {"directory": str(tmp_path), "mb": 200})
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
    (worker,) = service.workers()

    service._keeper.look()

    resident = resident_mb(worker.pid)
    assert resident is not None
    assert resident > 200
    (tmp_path / "go").touch()
    assert call.result() == 200 * 1024 * 1024


def test_the_limit_itself_may_be_used() -> None:
    assert not MemoryUse("f", 128.0, 128).is_over
    assert MemoryUse("f", 128.1, 128).is_over


def test_a_process_that_is_gone_holds_nothing() -> None:
    assert resident_mb(2**22 + 1) is None


@on_linux
def test_a_process_tells_what_it_holds() -> None:
    held = resident_mb(os.getpid())

    assert held is not None
    assert 5 < held < 10_000


def test_an_idle_worker_is_stopped_and_another_starts_with_the_next_call(make_service: MakeService) -> None:
    service = make_service(function("pid"), function("echo"), idle_seconds=0.05)
    first = answer_of(service, "nightshift_pid", {})
    answer_of(service, "nightshift_echo", {})

    wait_until(lambda: service.workers() == [])

    assert not is_running(first)
    assert answer_of(service, "nightshift_pid", {}) != first


def test_a_worker_that_is_busy_or_was_a_moment_ago_stays(
    make_service: MakeService, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    service = make_service(function("wait"), function("pid"), idle_seconds=3600)
    busy = threads.submit(answer_of, service, "nightshift_wait", {"directory": str(tmp_path)})
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
    idle = answer_of(service, "nightshift_pid", {})

    service._keeper.look()

    assert {worker.busy for worker in service.workers()} == {True, False}
    assert answer_of(service, "nightshift_pid", {}) == idle
    (tmp_path / "go").touch()
    busy.result()
