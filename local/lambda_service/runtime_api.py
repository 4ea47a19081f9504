"""Speak Lambda's Runtime API 2018-06-01 with one worker.

Every worker has an API (a loopback port) of its own, as every Lambda sandbox has. A shared port with the worker's id
as a path in `AWS_LAMBDA_RUNTIME_API` serves the C client's calls, but the runtime client posts `init/error` through
http.client, which refuses such a host ("nonnumeric port"): the reason why a module could not be imported would be lost.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from local.aws.invocation import Invocation

if TYPE_CHECKING:
    from local.lambda_service.call_slot import Call, CallSlot

PREFIX = "/2018-06-01/runtime/"
# 6 MiB and 100 bytes, as AWS words it: "exceeded maximum allowed payload size (6291556 bytes)".
RESPONSE_LIMIT = 6 * 1024 * 1024 + 100
RESPONSE_TOO_LARGE = Invocation(
    json.dumps(
        {
            "errorMessage": f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        }
    ).encode(),
    "Unhandled",
)
# The X-Ray cause of an error travels in a header of up to 1 MiB.
HEADER_LINE_LIMIT = 2 * 1024 * 1024
DISCARD_BYTES = 64 * 1024


class BadRequestError(Exception):
    """What arrived is no HTTP request that this server can go on from."""


@dataclass(frozen=True)
class Request:
    """One request; `body` is None when it was longer than a response may be."""

    method: str
    path: str
    body: bytes | None


def read_request(stream: BinaryIO) -> Request | None:
    """Read the next request; None at the end of the connection."""
    line = stream.readline(HEADER_LINE_LIMIT)
    if not line:
        return None
    words = line.split()
    if len(words) != 3:
        raise BadRequestError(repr(line[:80]))
    length = 0
    while line := stream.readline(HEADER_LINE_LIMIT).strip():
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        elif name.lower() == b"transfer-encoding":
            raise BadRequestError("a body without a length")
    return Request(words[0].decode("latin-1"), words[1].decode("latin-1"), _read_body(stream, length))


def _read_body(stream: BinaryIO, length: int) -> bytes | None:
    if length <= RESPONSE_LIMIT:
        return stream.read(length)
    # Read to the end all the same: a client that is still writing would never see the answer.
    while length > 0:
        length -= len(stream.read(min(length, DISCARD_BYTES))) or length
    return None


def write_response(connection: socket.socket, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
    """Answer in one send: a head and a body in two packets cost 44 ms of Nagle and delayed acknowledgement."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    connection.sendall("\r\n".join([*lines, "\r\n"]).encode("latin-1") + body)


class RuntimeApi:
    """An HTTP/1.1 server for one worker, whose calls come from and go to a CallSlot.

    It serves one connection after the other: the runtime client keeps one, and opens another only when it has none.
    """

    def __init__(self, slot: CallSlot) -> None:
        self._slot = slot
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=8)
        self._port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._is_closed = False
        threading.Thread(target=self._serve, name=f"runtime-api-{self._port}", daemon=True).start()

    @property
    def address(self) -> str:
        """The value of the worker's AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._port}"

    def close(self) -> None:
        """End the server's thread, which closes its sockets itself."""
        self._is_closed = True
        connection = self._connection
        with contextlib.suppress(OSError):
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)
        # Closing a listener does not wake a thread in accept() everywhere; a connection does.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), timeout=1).close()

    def _serve(self) -> None:
        with self._listener:
            while not self._is_closed:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rb") as stream:
                    self._connection = connection
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    # A worker that dies in mid-request is seen, and told, by the thread that watches its process.
                    with contextlib.suppress(OSError, ValueError, BadRequestError):
                        self._serve_connection(connection, stream)
                    self._connection = None

    def _serve_connection(self, connection: socket.socket, stream: BinaryIO) -> None:
        while not self._is_closed and (request := read_request(stream)) is not None:
            if request.method == "GET" and request.path == f"{PREFIX}invocation/next":
                call = self._slot.take(lambda: _is_open(connection))
                if call is None:
                    return
                write_response(connection, HTTPStatus.OK, call.payload, _next_headers(call))
            else:
                status, document = self._answer(request)
                body = json.dumps(document).encode()
                write_response(connection, status, body, {"Content-Type": "application/json"})

    def _answer(self, request: Request) -> tuple[HTTPStatus, dict[str, str]]:
        """Take what a worker posts: the end of a call, or why it could not start."""
        if not request.path.startswith(PREFIX):
            return _refusal(HTTPStatus.NOT_FOUND, "no such resource")
        match request.method, request.path.removeprefix(PREFIX).split("/"):
            case "POST", ["invocation", request_id, "response"]:
                return self._end(request_id, request.body, function_error=None)
            case "POST", ["invocation", request_id, "error"]:
                return self._end(request_id, request.body, function_error="Unhandled")
            case "POST", ["init", "error"]:
                if not self._slot.fail_init(request.body or b"{}"):
                    return _refusal(HTTPStatus.FORBIDDEN, "the function was initialized already")
                return HTTPStatus.ACCEPTED, {"status": "OK"}
        return _refusal(HTTPStatus.NOT_FOUND, "no such resource")

    def _end(
        self, request_id: str, body: bytes | None, *, function_error: str | None
    ) -> tuple[HTTPStatus, dict[str, str]]:
        end = RESPONSE_TOO_LARGE if body is None else Invocation(body, function_error)
        if not self._slot.end(request_id, end):
            return _refusal(HTTPStatus.BAD_REQUEST, "this request id is not the running call's")
        if body is None:
            return _refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the response is too large")
        return HTTPStatus.ACCEPTED, {"status": "OK"}


def _refusal(status: HTTPStatus, message: str) -> tuple[HTTPStatus, dict[str, str]]:
    return status, {"errorMessage": message, "errorType": status.phrase.replace(" ", "")}


def _next_headers(call: Call) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": call.request_id,
        "Lambda-Runtime-Deadline-Ms": str(call.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": call.function_arn,
        "Lambda-Runtime-Trace-Id": call.trace_id,
    }


def _is_open(connection: socket.socket) -> bool:
    """Whether a client that waits for its answer is still there: it says nothing meanwhile, so an end shows at once."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
