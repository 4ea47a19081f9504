from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError

from shared import aws


@pytest.fixture(autouse=True)
def _fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    aws.forget_clients()
    yield
    aws.forget_clients()


def test_makes_a_client_once_a_service() -> None:
    sqs = aws.client("sqs")

    assert aws.client("sqs") is sqs
    assert aws.client("events").meta.service_model.service_name == "events"


def test_makes_one_for_all_threads_that_ask_at_once() -> None:
    together = Barrier(8)

    def ask(_: int) -> Any:
        together.wait(10)
        return aws.client("ssm")

    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(ask, range(8)))

    assert len({id(client) for client in made}) == 1


def test_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    there = aws.client("sqs").meta.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4999")

    aws.forget_clients()

    assert there == "https://sqs.eu-west-1.amazonaws.com"
    assert aws.client("sqs").meta.endpoint_url == "http://127.0.0.1:4999"


def test_a_route_that_is_missing_is_an_error_within_seconds() -> None:
    config: Any = aws.client("dynamodb").meta.config

    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert config.retries == {"total_max_attempts": 3, "mode": "standard"}


def test_tries_three_times_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        client = aws.client("sqs")
        tries: list[Any] = []
        client.meta.events.register("before-send.sqs", lambda request, **_: tries.append(request))

        with pytest.raises((EndpointConnectionError, ConnectionClosedError)):
            client.list_queues()

    assert len(tries) == 3
