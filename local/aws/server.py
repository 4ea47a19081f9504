"""Serve AWS's APIs on a loopback port from this process, with the shims that make moto true."""

from __future__ import annotations

import io
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from boto3.session import Session
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from local.aws import bus, parameters, queues, tables
from local.aws.bus import REGION
from local.aws.keep_alive import Answer, KeepAliveServer
from local.aws.time_scale import TimeScale

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from botocore.awsrequest import AWSPreparedRequest

ACCESS_KEY = "testing"  # moto takes any; nothing here is secret
STOP_POLL = 0.05  # seconds until a stop is seen


class AwsServer:
    """A running server; its state is moto's, one for the process and gone with it."""

    def __init__(self, server: KeepAliveServer, application: WSGIApplication) -> None:
        self._server = server
        self._application = application
        self._thread = Thread(target=server.serve_forever, args=(STOP_POLL,), name="aws", daemon=True)
        self._session = Session(ACCESS_KEY, ACCESS_KEY, region_name=REGION)
        self._clients: dict[str, Any] = {}
        self._clients_lock = Lock()  # a session may not be shared while it makes a client

    @classmethod
    def start(cls, port: int = 0, *, time_scale: TimeScale | None = None) -> AwsServer:
        """Install the shims and serve on 127.0.0.1; port 0 takes a free one.

        Raises OSError when the port is taken. Installing twice changes nothing but the time
        scale of the queues that are created from then on.
        """
        application = DomainDispatcherApplication(create_backend_app)
        server = cls(KeepAliveServer(port, application), application)
        tables.install()
        queues.install(time_scale or TimeScale())
        bus.install()
        parameters.install()
        server._thread.start()
        return server

    @property
    def endpoint_url(self) -> str:
        """Where a client finds the server, for `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self._server.port}"

    def client(self, service: str) -> Any:
        """Return a boto3 client for this process, which calls moto without a socket.

        The same application answers as over HTTP, in a third less time and without a thread;
        made once a service, and safe between threads as every boto3 client.
        """
        with self._clients_lock:
            if service not in self._clients:
                client = self._session.client(
                    service,  # type: ignore[call-overload]  # the stubs want a literal
                    endpoint_url=self.endpoint_url,
                    config=Config(retries={"total_max_attempts": 1}),
                )
                client.meta.events.register("before-send", self._answer)
                self._clients[service] = client
            return self._clients[service]

    def stop(self) -> None:
        """Stop serving and end what waits for a message; the state stays."""
        self._server.shut()
        self._thread.join()
        queues.interrupt_polls()

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        answer = Answer(self._application, _environ(request))
        return AWSResponse(request.url, answer.code, HTTPHeaders.from_pairs(answer.headers), _Body(answer.body))


class _Body(io.BytesIO):
    """A body as botocore reads it from urllib3."""

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self.read()


def _environ(request: AWSPreparedRequest) -> dict[str, Any]:
    url = urlsplit(request.url)
    body = _read(request.body)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote(url.path).encode().decode("latin-1"),  # as PEP 3333 has it
        "QUERY_STRING": url.query,
        "RAW_URI": request.url.removeprefix(f"{url.scheme}://{url.netloc}"),
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    headers: Any = request.headers  # signing leaves some values as bytes
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        if key == "CONTENT_TYPE":
            environ[key] = text
        elif key != "CONTENT_LENGTH":
            environ[f"HTTP_{key}"] = text
    return environ


def _read(body: Any) -> bytes:
    """Return what botocore would send: it prepares text, bytes, or a file (S3's objects)."""
    content = body.read() if hasattr(body, "read") else body
    return content.encode() if isinstance(content, str) else bytes(content or b"")
