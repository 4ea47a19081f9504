import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import BinaryIO

import pytest

from local.aws.api import Answer, ApiRequest
from local.aws.keep_alive import LONGEST_LINE, KeepAliveServer

Talk = Callable[[bytes], BinaryIO]


def answer(request: ApiRequest) -> Answer:
    if request.target == "/fault":
        raise RuntimeError("moto has a bug")
    seen = f"{request.method} {request.target} {len(request.headers)} ".encode() + request.body
    return Answer(204 if request.target == "/empty" else 200, [("X-Seen", "yes")], seen)


@pytest.fixture
def talk() -> Iterator[Talk]:
    """Send bytes on a new connection, and read what comes back."""
    server = KeepAliveServer(0, answer)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    opened: list[socket.socket | BinaryIO] = []

    def send(data: bytes) -> BinaryIO:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        stream = connection.makefile("rb")
        opened.extend((stream, connection))
        connection.sendall(data)
        return stream

    yield send
    for each in opened:
        each.close()
    server.shut()
    thread.join()


def read_answer(stream: BinaryIO, *, has_body: bool = True) -> tuple[bytes, dict[bytes, bytes], bytes]:
    status = stream.readline().strip()
    headers = dict(line.strip().split(b": ", 1) for line in iter(stream.readline, b"\r\n"))
    length = int(headers.get(b"Content-Length", b"0"))
    return status, headers, stream.read(length) if has_body else b""


def test_answers_requests_that_came_together_one_after_the_other(talk: Talk) -> None:
    stream = talk(b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b?x=1 HTTP/1.1\r\nHost: h\r\n\r\n")

    assert [read_answer(stream)[2] for _ in range(2)] == [b"POST /a 1 abc", b"GET /b?x=1 1 "]


def test_takes_a_body_in_chunks(talk: Talk) -> None:
    stream = talk(
        b"PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\nA;ext=1\r\n0123456789\r\n0\r\nx-amz-checksum: 1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"
    )

    assert [read_answer(stream)[2] for _ in range(2)] == [b"PUT /c 1 abc0123456789", b"GET /d 0 "]


def test_says_that_the_body_may_come(talk: Talk) -> None:
    stream = talk(b"PUT /e HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")

    assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
    assert stream.readline() == b"\r\n"
    assert read_answer(stream)[2] == b"PUT /e 2 x"


def test_sends_no_body_where_there_is_none(talk: Talk) -> None:
    stream = talk(b"HEAD /f HTTP/1.1\r\n\r\nGET /empty HTTP/1.1\r\n\r\nGET /g HTTP/1.1\r\n\r\n")

    head, empty, last = (read_answer(stream, has_body=has_body) for has_body in (False, False, True))
    assert (head[0], empty[0], last[2]) == (b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"GET /g 0 ")
    assert b"X-Seen" in head[1]


def test_goes_on_after_a_fault(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    stream = talk(b"GET /fault HTTP/1.1\r\n\r\nGET /h HTTP/1.1\r\n\r\n")

    assert read_answer(stream)[0] == b"HTTP/1.1 500 Internal Server Error"
    assert read_answer(stream)[2] == b"GET /h 0 "
    assert "moto has a bug" in caplog.text


@pytest.mark.parametrize("head", [b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\nConnection: close\r\n"])
def test_ends_a_connection_that_is_to_end(talk: Talk, head: bytes) -> None:
    stream = talk(head + b"\r\n")

    assert read_answer(stream)[0] == b"HTTP/1.1 200 OK"
    assert stream.read() == b""


@pytest.mark.parametrize(
    "garbage",
    [
        b"nonsense\r\n\r\n",
        b"GET / SPDY/3\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\n folded: line\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"GET /" + b"x" * LONGEST_LINE,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 201 + b"\r\n",
    ],
    ids=[
        "no request",
        "another protocol",
        "no header",
        "a folded header",
        "no length",
        "no chunk",
        "less than none",
        "a long line",
        "many",
    ],
)
def test_refuses_what_is_no_request(talk: Talk, garbage: bytes) -> None:
    stream = talk(garbage)

    status, headers, body = read_answer(stream)
    assert status == b"HTTP/1.1 400 Bad Request"
    assert headers[b"Connection"] == b"close"
    assert body
    with ended():
        assert stream.read() == b""


@contextmanager
def ended() -> Iterator[None]:
    """Let a connection be reset too: the server leaves unread what it does not understand."""
    with suppress(ConnectionResetError):
        yield
