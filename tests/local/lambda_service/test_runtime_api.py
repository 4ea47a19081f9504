"""The Runtime API as any HTTP client sees it that plays the runtime."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING

import pytest

from local.aws.invocation import Invocation
from local.lambda_service.call_slot import Call, CallSlot, InitFailedError, WorkerExitedError
from local.lambda_service.runtime_api import RuntimeApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import ThreadPoolExecutor

RUNTIME = "/2018-06-01/runtime"
CALL = Call("id-1", b'{"a": 1}', "arn:aws:lambda:us-east-1:123456789012:function:f", 1_900_000_000_123, "Root=1-2-3")


@pytest.fixture
def slot() -> CallSlot:
    return CallSlot()


@pytest.fixture
def runtime(slot: CallSlot) -> Iterator[http.client.HTTPConnection]:
    api = RuntimeApi(slot)
    connection = http.client.HTTPConnection(api.address, timeout=20)
    yield connection
    connection.close()
    slot.close("the test is over")
    api.close()


def post(runtime: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, dict[str, str]]:
    runtime.request("POST", f"{RUNTIME}/{path}", body)
    response = runtime.getresponse()
    return response.status, json.loads(response.read())


def get_next(runtime: http.client.HTTPConnection) -> tuple[http.client.HTTPResponse, bytes]:
    runtime.request("GET", f"{RUNTIME}/invocation/next")
    response = runtime.getresponse()
    return response, response.read()


def test_next_waits_for_a_call_and_tells_all_about_it(
    slot: CallSlot, runtime: http.client.HTTPConnection, threads: ThreadPoolExecutor
) -> None:
    asked = threads.submit(get_next, runtime)
    slot.wait_until_loaded(20)

    threads.submit(slot.run, CALL, 20)

    response, body = asked.result()
    assert (response.status, body) == (200, CALL.payload)
    assert response.headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert response.headers["Lambda-Runtime-Deadline-Ms"] == "1900000000123"
    assert response.headers["Lambda-Runtime-Invoked-Function-Arn"] == CALL.function_arn
    assert response.headers["Lambda-Runtime-Trace-Id"] == "Root=1-2-3"
    post(runtime, "invocation/id-1/response", b"null")


@pytest.mark.parametrize(("kind", "function_error"), [("response", None), ("error", "Unhandled")])
def test_a_call_ends_with_what_the_runtime_posts(
    slot: CallSlot,
    runtime: http.client.HTTPConnection,
    threads: ThreadPoolExecutor,
    kind: str,
    function_error: str | None,
) -> None:
    call = threads.submit(slot.run, CALL, 20)
    get_next(runtime)

    status, _ = post(runtime, f"invocation/id-1/{kind}", b'{"b": 2}')

    assert status == 202
    assert call.result() == Invocation(b'{"b": 2}', function_error)
    assert slot.request_id is None


def test_an_end_of_another_call_is_refused_and_this_one_goes_on(
    slot: CallSlot, runtime: http.client.HTTPConnection, threads: ThreadPoolExecutor
) -> None:
    call = threads.submit(slot.run, CALL, 20)
    get_next(runtime)

    refused = post(runtime, "invocation/id-0/response", b"0")
    accepted = post(runtime, "invocation/id-1/response", b"1")
    repeated = post(runtime, "invocation/id-1/response", b"2")

    assert [refused[0], accepted[0], repeated[0]] == [400, 202, 400]
    assert refused[1]["errorType"] == "BadRequest"
    assert call.result().payload == b"1"


def test_an_init_error_ends_the_wait_for_the_handler(slot: CallSlot, runtime: http.client.HTTPConnection) -> None:
    status, _ = post(runtime, "init/error", b'{"errorType": "Runtime.ImportModuleError"}')

    assert status == 202
    with pytest.raises(InitFailedError) as caught:
        slot.wait_until_loaded(20)
    assert caught.value.payload == b'{"errorType": "Runtime.ImportModuleError"}'


def test_an_init_error_after_the_first_next_is_refused(
    slot: CallSlot, runtime: http.client.HTTPConnection, threads: ThreadPoolExecutor
) -> None:
    threads.submit(slot.run, CALL, 20)
    get_next(runtime)

    status, _ = post(runtime, "init/error", b"{}")

    assert status == 403
    post(runtime, "invocation/id-1/response", b"null")


@pytest.mark.parametrize("path", ["/", "/2018-06-01/ping", f"{RUNTIME}/invocation/id-1/other"])
def test_what_the_api_does_not_have_is_not_found(runtime: http.client.HTTPConnection, path: str) -> None:
    runtime.request("GET", path)
    response = runtime.getresponse()
    response.read()

    assert response.status == 404


def test_a_call_is_not_given_to_a_client_that_left(slot: CallSlot, threads: ThreadPoolExecutor) -> None:
    api = RuntimeApi(slot)
    host, port = api.address.split(":")
    gone = socket.create_connection((host, int(port)))
    gone.sendall(f"GET {RUNTIME}/invocation/next HTTP/1.1\r\n\r\n".encode())
    slot.wait_until_loaded(20)
    gone.close()

    call = threads.submit(slot.run, CALL, 20)
    slot.close("Runtime exited with error: signal: killed")

    error = call.exception()
    api.close()
    assert isinstance(error, WorkerExitedError)
    assert not error.took_call


def test_nonsense_ends_its_connection_and_not_the_server(slot: CallSlot, runtime: http.client.HTTPConnection) -> None:
    with socket.create_connection((runtime.host, runtime.port)) as stranger:
        stranger.sendall(b"nonsense\r\n\r\n")
        answered = stranger.recv(100)

    status, _ = post(runtime, "init/error", b"{}")

    assert answered == b""
    assert status == 202


def test_a_call_that_does_not_end_in_time_raises(
    slot: CallSlot, runtime: http.client.HTTPConnection, threads: ThreadPoolExecutor
) -> None:
    asked = threads.submit(get_next, runtime)
    slot.wait_until_loaded(20)

    with pytest.raises(TimeoutError):
        slot.run(CALL, 0.05)

    asked.result()
    assert slot.request_id == "id-1"
