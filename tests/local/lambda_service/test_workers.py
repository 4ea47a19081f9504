"""How a call ends when its worker does not end it well: what AWS would answer, and that the next call works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.aws.time_scale import TimeScale
from local.lambda_service.workers import exit_reason
from tests.local.lambda_service.conftest import HANDLERS, answer_of, error_of, function, is_running, wait_until

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from tests.local.lambda_service.conftest import MakeService

PROJECT = Path(__file__).parents[3]


def test_an_exception_answers_its_type_message_and_stack(make_service: MakeService) -> None:
    service = make_service(function("end"))
    pid = answer_of(service, "nightshift_end", {"how": "fine"})

    error = error_of(service, "nightshift_end", {"how": "raise"})

    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no such organization: ü")
    assert "calls.py" in error["stackTrace"][0]
    assert error["requestId"]
    assert answer_of(service, "nightshift_end", {"how": "fine"}) == pid


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"how": "sys.exit", "status": 3}, "Runtime exited with error: exit status 3"),
        ({"how": "os._exit", "status": 7}, "Runtime exited with error: exit status 7"),
        ({"how": "os._exit", "status": 0}, "Runtime exited without providing a reason"),
        ({"how": "kill"}, "Runtime exited with error: signal: killed"),
    ],
)
def test_a_process_that_ends_answers_at_once_and_the_next_call_gets_another(
    make_service: MakeService, log_dir: Path, event: dict[str, Any], reason: str
) -> None:
    service = make_service(function("end"), max_workers=1)
    pid = answer_of(service, "nightshift_end", {"how": "fine"})

    error = error_of(service, "nightshift_end", event)

    request_id = error["errorMessage"].split()[1]
    assert error == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: {request_id} Error: {reason}"}
    assert len(request_id) == 36
    assert error["errorMessage"] in (log_dir / "end.log").read_text()
    assert not is_running(pid)
    assert answer_of(service, "nightshift_end", {"how": "fine"}) != pid


def test_a_worker_killed_from_outside_in_mid_call_answers_at_once(
    make_service: MakeService, tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    service = make_service(function("wait"))
    call = threads.submit(error_of, service, "nightshift_wait", {"directory": str(tmp_path)})
    wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
    (worker,) = service.workers()

    os.kill(worker.pid, signal.SIGKILL)

    error = call.result()
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == f"RequestId: {worker.request_id} Error: Runtime exited with error: signal: killed"
    (tmp_path / "go").touch()
    assert answer_of(service, "nightshift_wait", {"directory": str(tmp_path)}) != worker.pid


def test_a_worker_killed_between_calls_costs_no_call(make_service: MakeService) -> None:
    service = make_service(function("pid"))
    pids = [answer_of(service, "nightshift_pid", {})]

    for _ in range(3):
        os.kill(pids[-1], signal.SIGKILL)
        wait_until(lambda: service.workers() == [])
        pids.append(answer_of(service, "nightshift_pid", {}))

    assert len(set(pids)) == 4


def test_a_worker_that_ends_when_idle_costs_no_call(make_service: MakeService) -> None:
    service = make_service(function("idle", "dies_when_idle.handler"), max_workers=1)
    first = answer_of(service, "nightshift_idle", {})
    wait_until(lambda: service.workers() == [])

    second = answer_of(service, "nightshift_idle", {})

    assert second != first


def test_a_call_past_its_deadline_is_killed_with_what_it_started(
    make_service: MakeService, tmp_path: Path, log_dir: Path
) -> None:
    service = make_service(function("wait-with-child", timeout_seconds=3.0), time_scale=TimeScale(0.5))
    event = {"directory": str(tmp_path)}

    error = error_of(service, "nightshift_wait-with-child", event)

    (started,) = tmp_path.glob("started-*")
    request_id = started.name.removeprefix("started-")
    assert error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {request_id} Error: Task timed out after 3.00 seconds",
    }
    pids = [int(started.read_text()), int((tmp_path / "child").read_text())]
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    assert "Task timed out after 3.00 seconds" in (log_dir / "wait-with-child.log").read_text()
    (tmp_path / "go").touch()
    assert answer_of(service, "nightshift_wait-with-child", event) not in pids


@pytest.mark.parametrize(
    ("handler", "source", "error_type", "message"),
    [
        (
            "module.handler",
            "import no_such",
            "Runtime.ImportModuleError",
            "Unable to import module 'module': No module",
        ),
        ("other.handler", "", "Runtime.ImportModuleError", "Unable to import module 'other'"),
        ("module.handler", "def handler(", "Runtime.UserCodeSyntaxError", "Syntax error in module 'module'"),
        ("module.handler", "", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'module'"),
        ("nodots", "", "Runtime.MalformedHandlerName", "Bad handler 'nodots'"),
        ("module.handler", "raise KeyError('SETTING')", "KeyError", "SETTING"),
        ("module.handler", "import os; os._exit(7)", "Runtime.ExitError", "exited with error: exit status 7"),
    ],
)
def test_a_handler_that_cannot_be_loaded_answers_why(
    make_service: MakeService, tmp_path: Path, handler: str, source: str, error_type: str, message: str
) -> None:
    (tmp_path / "module.py").write_text(source)
    service = make_service(function("broken", handler), code_root=tmp_path)

    errors = [error_of(service, "nightshift_broken", {}) for _ in range(2)]

    for error in errors:
        assert error["errorType"] == error_type
        assert message in error["errorMessage"]
    assert service.workers() == []


def test_a_function_whose_module_is_repaired_works_with_the_next_call(
    make_service: MakeService, tmp_path: Path
) -> None:
    module = tmp_path / "module.py"
    module.write_text("import no_such_module")
    service = make_service(function("repaired", "module.handler"), code_root=tmp_path)
    error_of(service, "nightshift_repaired", {})

    module.write_text("def handler(event, context): return 'repaired'")

    assert answer_of(service, "nightshift_repaired", {}) == "repaired"


def test_what_is_no_json_is_a_marshal_error_and_the_worker_stays(make_service: MakeService) -> None:
    service = make_service(function("end"))
    pid = answer_of(service, "nightshift_end", {"how": "fine"})

    error = error_of(service, "nightshift_end", {"how": "object"})

    assert error["errorType"] == "Runtime.MarshalError"
    assert answer_of(service, "nightshift_end", {"how": "fine"}) == pid


def test_bytes_are_passed_on_as_they_are(make_service: MakeService) -> None:
    service = make_service(function("end"))

    invocation = service("nightshift_end", b'{"how": "bytes"}')

    assert (invocation.payload, invocation.function_error) == (b"\x00\x01", None)


def test_a_payload_that_is_no_json_is_the_runtimes_own_error(make_service: MakeService) -> None:
    service = make_service(function("echo"))

    invocation = service("nightshift_echo", b"{nonsense")

    assert invocation.function_error == "Unhandled"
    assert b"Runtime.UnmarshalError" in invocation.payload


@pytest.mark.parametrize(
    ("returncode", "expected"),
    [
        (0, "Runtime exited without providing a reason"),
        (1, "Runtime exited with error: exit status 1"),
        (-signal.SIGKILL, "Runtime exited with error: signal: killed"),
        (-signal.SIGSEGV, "Runtime exited with error: signal: segmentation fault"),
        (-signal.SIGTERM, "Runtime exited with error: signal: terminated"),
    ],
)
def test_the_reason_of_an_exit_is_worded_as_lambda_words_it(returncode: int, expected: str) -> None:
    assert exit_reason(returncode) == expected


STACK = """
    import sys, threading
    from pathlib import Path
    from local.aws.access.credentials import ADMINISTRATOR
    from local.aws.time_scale import TimeScale
    from local.lambda_service.service import FunctionConfig, LambdaService

    handlers, directory = Path(sys.argv[1]), Path(sys.argv[2])
    functions = [FunctionConfig("idle", "calls.pid"), FunctionConfig("busy", "calls.wait_with_child", 900.0)]
    service = LambdaService(
        functions, code_root=handlers, log_dir=directory / "logs", endpoint_url="http://127.0.0.1:9",
        region="us-east-1", account="123456789012", credentials=lambda _: ADMINISTRATOR, max_workers=1,
        time_scale=TimeScale(),
    )
    service.start()
    (directory / "idle").write_bytes(service("idle", b"{}").payload)
    service("busy", b'{"directory": "%s"}' % str(directory).encode())
"""


def test_no_worker_outlives_a_stack_that_is_killed(tmp_path: Path) -> None:
    script = [sys.executable, "-c", textwrap.dedent(STACK), str(HANDLERS), str(tmp_path)]
    with subprocess.Popen(script, cwd=PROJECT) as stack:
        try:
            wait_until(lambda: len(list(tmp_path.glob("started-*"))) == 1)
            (busy,) = (int(path.read_text()) for path in tmp_path.glob("started-*"))
            pids = [busy, int((tmp_path / "idle").read_text()), int((tmp_path / "child").read_text())]
            running_before = [is_running(pid) for pid in pids]
        finally:
            stack.kill()  # also where something above failed: the block waits for its end

    assert running_before == [True, True, True]
    wait_until(lambda: not any(is_running(pid) for pid in pids))
