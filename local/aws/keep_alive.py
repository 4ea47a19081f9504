"""Serve moto's WSGI application over connections that stay open between requests."""

from __future__ import annotations

import io
import logging
import socket
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import ThreadedWSGIServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger(__name__)


class Answer:
    """What a WSGI application answered, whole."""

    def __init__(self, application: WSGIApplication, environ: dict[str, Any]) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []
        chunks: Iterable[bytes] = application(environ, self._start_response)
        try:
            self.body = b"".join(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def _start_response(self, status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        self.status, self.headers = status, list(headers)
        return self._refuse_write

    def _refuse_write(self, _data: bytes) -> None:
        raise RuntimeError("moto answers by its return value, not through WSGI's write()")

    @property
    def code(self) -> int:
        """The status code as a number."""
        return int(self.status.split(" ", 1)[0])


class KeepAliveHandler(MotoRequestHandler):  # type: ignore[misc]  # moto ships no types
    """Read each request whole, answer it in one write and wait for the next.

    moto 5.2.5 runs on werkzeug's development server, which closes the connection after each
    answer and waits up to 10 ms before, for a body that was not read: 2 to 5 ms a call. Reading
    the body first makes keeping the connection safe.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # buffered, so that headers and body leave in one packet

    def setup(self) -> None:
        """Tell the server about the connection, so that it can end it."""
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        """Forget the connection."""
        self.server.closed(self.connection)
        with suppress(OSError):  # the client may have gone, or the server ended the connection
            super().finish()

    def handle_expect_100(self) -> bool:
        """Say at once that the body may come; it would wait in the buffer."""
        going_on: bool = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Answer one request."""
        environ = self.environ = self.make_environ()
        body = self._read_body(environ)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        try:
            answer = Answer(self.server.app, environ)
        except Exception:  # noqa: BLE001  # a fault of moto becomes an answer; the thread goes on
            _log.exception("%s %s failed", self.command, self.path)
            self.send_response(500)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._send(answer)

    def _read_body(self, environ: dict[str, Any]) -> bytes:
        if environ.get("wsgi.input_terminated"):  # chunked: the stream knows its end
            body: bytes = environ["wsgi.input"].read()
        else:
            body = self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0))
        return body

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.code, answer.status.partition(" ")[2])
        for name, value in answer.headers:
            self.send_header(name, value)
        has_length = any(name.lower() == "content-length" for name, _ in answer.headers)
        has_body = self.command != "HEAD" and answer.code not in {204, 304}
        if has_body and not has_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if has_body:
            self.wfile.write(answer.body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a line a call is noise in the stack's log."""


class KeepAliveServer(ThreadedWSGIServer):
    """A thread a connection; `shut` ends them all."""

    def __init__(self, port: int, application: WSGIApplication) -> None:
        self._connections: set[socket.socket] = set()
        self._connections_lock = Lock()
        # Bound here: werkzeug prints and exits the process when the port is taken.
        with socket.create_server(("127.0.0.1", port), backlog=128) as bound:
            super().__init__(
                "127.0.0.1",
                bound.getsockname()[1],
                application,
                KeepAliveHandler,
                fd=bound.fileno(),
            )

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
        with self._connections_lock:
            for connection in self._connections:
                with suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
