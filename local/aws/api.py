"""Answer one AWS API request, wherever it came from: over HTTP or from a client in this process."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from moto.core.request import (
    PRESERVED_HEADER_NAMES_ENVIRON_KEY,
    environ_key_for_header,
    should_preserve_original_header_name,
)
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws import direct
from local.aws.access.guard import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class ApiRequest:
    """A whole request. `target` is the path and query as they were sent; header names are as they were sent too."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    host: str
    port: int

    def environ(self) -> dict[str, Any]:
        """Return the request as WSGI has it (PEP 3333)."""
        path, _, query = self.target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path).encode().decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": self.target,
            "SERVER_NAME": self.host,
            "SERVER_PORT": str(self.port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": f"{self.host}:{self.port}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        return environ | self._variables() | {"CONTENT_LENGTH": str(len(self.body))}

    def _variables(self) -> dict[str, Any]:
        """Return the headers as WSGI names them; one whose name has a `_` is dropped, but for S3's metadata.

        WSGI cannot tell `X_Foo` from `X-Foo`, so servers drop the first, lest it stand in for the other; moto asks its
        server to keep the spelling of `x-amz-meta-…`.
        """
        variables: dict[str, Any] = {}
        names: dict[str, str] = {}
        for name, value in self.headers:
            if "_" in name:
                if not should_preserve_original_header_name(name):
                    continue
                names[environ_key_for_header(name)] = name
            key = name.upper().replace("-", "_")
            key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
            variables[key] = f"{variables[key]},{value}" if key in variables else value
        if names:
            variables[PRESERVED_HEADER_NAMES_ENVIRON_KEY] = names
        return variables


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Api:
    """moto, behind the one method that every request passes."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)

    def answer(self, request: ApiRequest) -> Answer:
        """Answer a request. Nothing reaches moto but through here, so what all requests need has its place here."""
        environ = request.environ()
        refusal = refused(environ)
        if refusal is not None:
            return Answer(refusal.status, refusal.headers, refusal.body)
        handler = direct.handler_of(environ)
        if handler is not None:
            return Answer(*direct.answer(handler, environ))
        return _call(self._moto, environ)


def _call(application: WSGIApplication, environ: dict[str, Any]) -> Answer:
    """Return what a WSGI application answers."""
    told: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        told.append((status, list(headers)))
        return _refuse_write

    chunks: Iterable[bytes] = application(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = told[-1]
    return Answer(int(status.split(" ", 1)[0]), headers, body)


def _refuse_write(_data: bytes) -> None:
    raise RuntimeError("moto answers by its return value, not through WSGI's write()")
