"""Serve requests over HTTP/1.1 connections that stay open, one thread a connection."""

from __future__ import annotations

import logging
import re
import socket
from contextlib import suppress
from email.utils import formatdate
from http.client import responses
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock
from typing import TYPE_CHECKING

from local.aws.api import Answer, ApiRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from io import BufferedIOBase

_log = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024
MOST_HEADERS = 200
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,8}")


class BadRequestError(Exception):
    """What arrived is no HTTP request that the connection can go on from."""


class KeepAliveHandler(StreamRequestHandler):
    """Read each request whole, answer it in one write and wait for the next.

    moto 5.2.5 runs on werkzeug's development server, which closes the connection after each answer and waits up to
    10 ms before, for a body that was not read: 2 to 5 ms a call. Its parser, Python's http.server, reads headers as
    those of a mail, 0.3 ms a request.
    """

    server: KeepAliveServer
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Tell the server about the connection, so that it can end it."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.closed(self.connection)
        with suppress(OSError):  # the client may have gone, or the server ended the connection
            super().finish()

    def handle(self) -> None:
        """Answer requests until either side has enough."""
        with suppress(OSError):
            try:
                while self._answer_one():
                    pass
            except BadRequestError as error:
                self._send(Answer(400, [("Connection", "close")], str(error).encode()))

    def _answer_one(self) -> bool:
        """Answer the next request and return whether another may follow."""
        line = _line(self.rfile)
        if not line:
            return False
        words = line.decode("latin-1").split()
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequestError("a request line has a method, a target and HTTP/1.1")
        headers = _headers(self.rfile)
        known = {name.lower(): value for name, value in headers}
        if known.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _body(self.rfile, known)
        host, port = self.server.server_address[:2]
        request = ApiRequest(words[0], words[1], tuple(headers), body, str(host), port)
        self._send(self.server.answered(request), with_body=request.method != "HEAD")
        return words[2] == "HTTP/1.1" and known.get("connection", "").lower() != "close"

    def _send(self, answer: Answer, *, with_body: bool = True) -> None:
        with_body = with_body and answer.status not in {204, 304}
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if with_body and not any(name.lower() == "content-length" for name, _ in answer.headers):
            lines.append(f"Content-Length: {len(answer.body)}")
        head = "\r\n".join([*lines, "\r\n"]).encode("latin-1")
        self.wfile.write(head + answer.body if with_body else head)


class KeepAliveServer(ThreadingTCPServer):
    """A thread a connection; `shut` ends them all."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, answer: Callable[[ApiRequest], Answer]) -> None:
        self._answer = answer
        self._connections: set[socket.socket] = set()
        self._connections_lock = Lock()
        super().__init__(("127.0.0.1", port), KeepAliveHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.create_server(("127.0.0.1", port), backlog=128)
        self.server_address = self.socket.getsockname()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def answered(self, request: ApiRequest) -> Answer:
        """Return the answer to a request; a fault of moto is an answer too, and its thread goes on."""
        try:
            return self._answer(request)
        except Exception:  # noqa: BLE001  # whatever it is: see above
            _log.exception("%s %s failed", request.method, request.target)
            return Answer(500, [], b"")

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._connections_lock:
            self._connections.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._connections_lock:
            self._connections.discard(connection)

    def shut(self) -> None:
        """Take no more requests and end the open connections."""
        self.shutdown()
        self.server_close()
        with self._connections_lock:
            for connection in self._connections:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)


def _line(stream: BufferedIOBase) -> bytes:
    """Read a line without its end; empty at the end of the connection, too."""
    line = stream.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise BadRequestError(f"a line is longer than {LONGEST_LINE} bytes")
    return line.rstrip(b"\r\n")


def _headers(stream: BufferedIOBase) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    while line := _line(stream):
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or not name or name != name.strip() or len(headers) == MOST_HEADERS:
            raise BadRequestError(f"{name[:80]!r} is no header, or one too many")
        headers.append((name, value.strip()))
    return headers


def _body(stream: BufferedIOBase, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "identity").lower() == "chunked":
        return b"".join(_chunks(stream))
    length = headers.get("content-length", "0")
    if not length.isdecimal():
        raise BadRequestError(f"{length[:80]!r} is no length")
    return _exactly(stream, int(length))


def _chunks(stream: BufferedIOBase) -> list[bytes]:
    """Read a chunked body: https://www.rfc-editor.org/rfc/rfc9112#section-7.1."""
    chunks: list[bytes] = []
    while True:
        digits = _line(stream).partition(b";")[0].strip()
        if not _CHUNK_SIZE.fullmatch(digits):
            raise BadRequestError("a chunk begins with its size")
        size = int(digits, 16)
        if size == 0:
            _headers(stream)  # the trailer
            return chunks
        chunks.append(_exactly(stream, size))
        _line(stream)


def _exactly(stream: BufferedIOBase, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise BadRequestError("the connection ended in the middle of a body")
    return data
