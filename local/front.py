"""The stack's own address: its health, its workers, and Lambda's Invoke API.

Invoke: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict
from threading import Thread
from typing import TYPE_CHECKING, Self

from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from local.aws.invocation import FunctionNotFoundError
from local.lambda_service.service import RequestTooLargeError

if TYPE_CHECKING:
    from local.lambda_service.service import LambdaService

HOST = "127.0.0.1"


class Front:
    """A small server on 127.0.0.1."""

    def __init__(self, server: BaseWSGIServer) -> None:
        self._server = server
        self._thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="front", daemon=True)

    @classmethod
    def start(cls, port: int, functions: LambdaService) -> Self:
        """Serve; port 0 takes a free one. Raises OSError when the port is taken."""
        try:
            bound = socket.create_server((HOST, port), backlog=128)  # werkzeug would print and exit
        except OSError as error:
            raise OSError(f"port {port} of {HOST}: {os.strerror(error.errno or 0)}") from error
        with bound:
            server = make_server(
                HOST,
                bound.getsockname()[1],
                application(functions),
                threaded=True,
                request_handler=_Quiet,
                fd=bound.fileno(),
            )
        front = cls(server)
        front._thread.start()
        return front

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.port}"

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def application(functions: LambdaService) -> Flask:
    """Return the routes."""
    app = Flask("nightshift")

    @app.get("/health")
    def health() -> Response:
        return _json({"status": "ready"})

    @app.get("/workers")
    def workers() -> Response:
        return _json([asdict(worker) for worker in functions.workers()])

    @app.post("/2015-03-31/functions/<path:name>/invocations")
    def invoke(name: str) -> Response:
        try:
            ended = functions(name, request.get_data() or b"{}")
        except FunctionNotFoundError as error:
            return _refusal(404, "ResourceNotFoundException", error)
        except RequestTooLargeError as error:
            return _refusal(413, "RequestTooLargeException", error)
        response = Response(ended.payload, mimetype="application/json")
        if ended.function_error:
            response.headers["X-Amz-Function-Error"] = ended.function_error
        return response

    return app


def _json(value: object, status: int = 200) -> Response:
    return Response(json.dumps(value, default=str), status=status, mimetype="application/json")


def _refusal(status: int, code: str, error: Exception) -> Response:
    response = _json({"Type": "User", "Message": str(error)}, status)
    response.headers["x-amzn-ErrorType"] = code
    return response


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 (werkzeug's name)
        """Say nothing: the terminal is the user's."""
