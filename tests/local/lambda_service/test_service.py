"""Calls of functions in real workers: what a handler sees and what its caller gets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.aws.invocation import FunctionNotFoundError
from local.aws.time_scale import TimeScale
from local.lambda_service.service import RequestTooLargeError, ServiceStoppedError
from tests.local.lambda_service.conftest import (
    ACCOUNT,
    HANDLERS,
    REGION,
    answer_of,
    error_of,
    function,
    is_running,
    wait_until,
)

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from tests.local.lambda_service.conftest import MakeService

ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nightshift_describe"


def test_a_handler_sees_lambdas_context(make_service: MakeService) -> None:
    service = make_service(function("describe", timeout_seconds=30.0, memory_mb=512))

    seen = answer_of(service, "nightshift_describe", {})

    assert seen["function_name"] == "nightshift_describe"
    assert seen["function_arn"] == ARN
    assert seen["memory"] == "512"
    assert len(seen["request_id"]) == 36
    assert 0 < seen["remaining_ms"] <= 30_000


def test_every_call_has_a_request_id_of_its_own(make_service: MakeService) -> None:
    service = make_service(function("describe"))

    ids = {answer_of(service, "nightshift_describe", {})["request_id"] for _ in range(3)}

    assert len(ids) == 3


def test_the_deadline_follows_the_time_scale(make_service: MakeService) -> None:
    service = make_service(function("describe", timeout_seconds=900.0), time_scale=TimeScale(0.1))

    seen = answer_of(service, "nightshift_describe", {})

    assert 0 < seen["remaining_ms"] <= 90_000


@pytest.mark.parametrize(
    "name",
    [
        "nightshift_describe",
        "nightshift_describe:$LATEST",
        ARN,
        f"{ARN}:$LATEST",
        f"{ACCOUNT}:function:nightshift_describe",
        "function:nightshift_describe",
    ],
)
def test_a_function_has_all_the_names_that_lambda_takes(make_service: MakeService, name: str) -> None:
    service = make_service(function("describe"))

    seen = answer_of(service, name, {})

    assert seen["function_arn"] == (f"{ARN}:$LATEST" if name.endswith("$LATEST") else ARN)


@pytest.mark.parametrize(
    "name",
    [
        "describe",
        "nightshift_other",
        "",
        "nightshift_describe!",
        ARN.replace(REGION, "eu-west-1"),
        ARN.replace(ACCOUNT, "999999999999"),
    ],
)
def test_a_name_that_is_nobodys_is_refused(make_service: MakeService, name: str) -> None:
    service = make_service(function("describe"))

    with pytest.raises(FunctionNotFoundError):
        service(name, b"{}")

    assert service.workers() == []


def test_nothing_of_the_callers_environment_reaches_a_worker(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "1")
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the caller")
    service = make_service(function("describe", environment={"STACK_NAME": "nightshift", "AWS_REGION": "mars-1"}))

    seen = answer_of(service, "nightshift_describe", {})

    environment = seen["environment"]
    assert environment.keys() == {
        *("STACK_NAME", "PATH", "HOME", "LANG", "TZ", "PYTHONPATH", "PYTHONUNBUFFERED", "LAMBDA_TASK_ROOT", "_HANDLER"),
        *("AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_EC2_METADATA_DISABLED"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "_X_AMZN_TRACE_ID"),
    }
    assert environment["AWS_SECRET_ACCESS_KEY"] == "secret of nightshift_describe"
    assert environment["AWS_REGION"] == REGION
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert environment["TZ"] == "UTC"


def test_a_worker_runs_in_the_code_root_with_no_input(make_service: MakeService) -> None:
    service = make_service(function("describe"))

    seen = answer_of(service, "nightshift_describe", {})

    assert seen["directory"] == seen["first_path"] == seen["environment"]["LAMBDA_TASK_ROOT"] == str(HANDLERS)
    assert seen["stdin"] == ""


def test_what_a_handler_prints_is_appended_to_its_functions_log(make_service: MakeService, log_dir: Path) -> None:
    service = make_service(function("print-line"))

    answer_of(service, "nightshift_print-line", {"line": "first"})
    answer_of(service, "nightshift_print-line", {"line": "second: ü"})

    assert (log_dir / "print-line.log").read_text().split("\n") == [
        *("first", "from stderr", "second: ü", "from stderr", ""),
    ]


def test_a_worker_is_started_by_the_first_call_and_used_again(make_service: MakeService) -> None:
    service = make_service(function("pid"), function("echo"))
    before = service.workers()

    pids = {answer_of(service, "nightshift_pid", {}) for _ in range(20)}

    assert before == []
    assert len(pids) == 1
    (worker,) = service.workers()
    assert (worker.function, worker.pid, worker.busy, worker.request_id) == ("nightshift_pid", *pids, False, None)


def test_a_busy_worker_shows_its_call(make_service: MakeService, tmp_path: Path, threads: ThreadPoolExecutor) -> None:
    service = make_service(function("wait"))

    call = threads.submit(answer_of, service, "nightshift_wait", {"directory": str(tmp_path)})
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
    (worker,) = service.workers()
    (tmp_path / "go").touch()

    assert worker.busy
    assert (tmp_path / f"started-{worker.request_id}").read_text() == str(worker.pid)
    assert call.result() == worker.pid


@pytest.mark.parametrize(("maximum_concurrency", "max_workers", "expected"), [(2, 4, 2), (10, 3, 3), (None, 3, 3)])
def test_no_more_calls_run_at_once_than_allowed(
    make_service: MakeService,
    tmp_path: Path,
    threads: ThreadPoolExecutor,
    maximum_concurrency: int | None,
    max_workers: int,
    expected: int,
) -> None:
    service = make_service(function("wait", maximum_concurrency=maximum_concurrency), max_workers=max_workers)
    event = {"directory": str(tmp_path)}

    calls = [threads.submit(answer_of, service, "nightshift_wait", event) for _ in range(7)]
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == expected)
    busy = [worker for worker in service.workers() if worker.busy]
    (tmp_path / "go").touch()
    pids = {call.result() for call in calls}

    assert len(busy) == expected
    assert pids <= {worker.pid for worker in busy}
    assert service.concurrency("nightshift_wait") == expected


def test_ten_calls_in_parallel_each_get_their_own_answer(
    make_service: MakeService, threads: ThreadPoolExecutor
) -> None:
    service = make_service(function("echo"), max_workers=3)

    answers = list(threads.map(lambda n: answer_of(service, "nightshift_echo", {"n": n}), range(100)))

    assert answers == [{"n": n} for n in range(100)]
    assert len(service.workers()) <= 3


def test_a_payload_of_six_megabytes_arrives_whole(make_service: MakeService) -> None:
    service = make_service(function("length"))
    text = "x" * (6 * 1024 * 1024 - 2)

    answer = answer_of(service, "nightshift_length", text)

    assert answer == len(text)


def test_a_larger_payload_is_refused(make_service: MakeService) -> None:
    service = make_service(function("length"))

    with pytest.raises(RequestTooLargeError, match="6291457 byte payload is too large"):
        service("nightshift_length", b" " * (6 * 1024 * 1024 + 1))


def test_an_answer_of_six_megabytes_arrives_whole(make_service: MakeService) -> None:
    service = make_service(function("of-size"))

    answer = answer_of(service, "nightshift_of-size", {"bytes": 6 * 1024 * 1024})

    assert len(answer) == 6 * 1024 * 1024 - 2


def test_a_larger_answer_is_an_error_and_the_next_call_works(make_service: MakeService) -> None:
    service = make_service(function("of-size"))

    error = error_of(service, "nightshift_of-size", {"bytes": 6 * 1024 * 1024 + 101})
    answer = answer_of(service, "nightshift_of-size", {"bytes": 10})

    assert error == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }
    assert answer == "x" * 8


def test_stop_leaves_no_process_and_ends_every_call(
    make_service: MakeService, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    service = make_service(function("wait-with-child"), function("echo"), max_workers=1)
    event = {"directory": str(tmp_path)}
    answer_of(service, "nightshift_echo", {})
    running = threads.submit(error_of, service, "nightshift_wait-with-child", event)
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
    waiting = threads.submit(service, "nightshift_wait-with-child", b"{}")
    pids = [*(worker.pid for worker in service.workers()), int((tmp_path / "child").read_text())]

    service.stop()

    assert len(pids) == 3
    assert running.result()["errorType"] == "Runtime.ExitError"
    assert isinstance(waiting.exception(), ServiceStoppedError)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    assert service.workers() == []
    with pytest.raises(ServiceStoppedError):
        service("nightshift_echo", b"{}")


def test_a_stopped_service_can_be_started_again(make_service: MakeService) -> None:
    service = make_service(function("pid"))
    first = answer_of(service, "nightshift_pid", {})

    service.stop()
    service.start()

    assert answer_of(service, "nightshift_pid", {}) != first


def test_a_service_that_stopped_holds_no_file_open(make_service: MakeService) -> None:
    service = make_service(function("pid"), function("echo"))
    service.stop()
    before = len(list(Path("/dev/fd").iterdir()))
    service.start()
    answer_of(service, "nightshift_pid", {})
    answer_of(service, "nightshift_echo", {})

    service.stop()

    wait_until(lambda: len(list(Path("/dev/fd").iterdir())) <= before)
