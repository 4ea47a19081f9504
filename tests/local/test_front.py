from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import urlopen

import boto3
import pytest
from botocore.config import Config

from local.front import Front
from local.lambda_service.service import LambdaService
from tests.local.lambda_service.conftest import MakeService, function, wait_until
from tests.local.lambda_service.conftest import log_dir as log_dir
from tests.local.lambda_service.conftest import make_service as make_service


@pytest.fixture
def service(make_service: MakeService) -> LambdaService:
    return make_service(function("echo"), function("end"), function("wait"))


@pytest.fixture
def front(service: LambdaService) -> Iterator[Front]:
    front = Front.start(0, service)
    yield front
    front.stop()


@pytest.fixture
def lambda_client(front: Front) -> Iterator[Any]:
    client = boto3.client(
        "lambda",
        endpoint_url=front.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


def read(url: str) -> Any:
    with urlopen(url, timeout=10) as answer:
        assert answer.headers["Content-Type"] == "application/json"
        return json.load(answer)


def test_says_that_it_is_ready(front: Front) -> None:
    assert front.url.startswith("http://127.0.0.1:")
    assert read(f"{front.url}/health") == {"status": "ready"}


def test_shows_the_workers_that_live(front: Front, lambda_client: Any) -> None:
    before = read(f"{front.url}/workers")

    lambda_client.invoke(FunctionName="nightshift_echo", Payload=b"{}")

    assert before == []
    wait_until(lambda: not read(f"{front.url}/workers")[0]["busy"])
    [worker] = read(f"{front.url}/workers")
    assert set(worker) == {"function", "pid", "busy", "request_id"}
    assert worker["function"] == "nightshift_echo"
    os.kill(worker["pid"], 0)


def test_answers_an_invocation_as_lambda_does(lambda_client: Any) -> None:
    answer = lambda_client.invoke(FunctionName="nightshift_echo", Payload='{"name": "Zé"}'.encode())

    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert json.load(answer["Payload"]) == {"name": "Zé"}


def test_takes_a_functions_arn_too(lambda_client: Any) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:nightshift_echo"

    answer = lambda_client.invoke(FunctionName=arn, Payload=b"1")

    assert json.load(answer["Payload"]) == 1


def test_calls_with_an_empty_object_where_nothing_is_passed(lambda_client: Any) -> None:
    answer = lambda_client.invoke(FunctionName="nightshift_echo")

    assert json.load(answer["Payload"]) == {}


def test_marks_the_error_of_a_function(lambda_client: Any) -> None:
    answer = lambda_client.invoke(FunctionName="nightshift_end", Payload=b'{"how": "raise"}')

    assert answer["FunctionError"] == "Unhandled"
    document = json.load(answer["Payload"])
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "no such organization: ü")


def test_refuses_a_function_that_it_does_not_have(lambda_client: Any) -> None:
    with pytest.raises(lambda_client.exceptions.ResourceNotFoundException, match="nightshift_nobody"):
        lambda_client.invoke(FunctionName="nightshift_nobody", Payload=b"{}")


def test_refuses_a_payload_that_lambda_would_not_take(lambda_client: Any) -> None:
    payload = b'"' + b"x" * 6 * 1024 * 1024 + b'"'

    with pytest.raises(lambda_client.exceptions.RequestTooLargeException, match="limit 6291456 bytes"):
        lambda_client.invoke(FunctionName="nightshift_echo", Payload=payload)


def test_answers_while_another_call_still_works(front: Front, service: LambdaService, tmp_path: Path) -> None:
    event = json.dumps({"directory": str(tmp_path)}).encode()
    call = Thread(target=service, args=("nightshift_wait", event))
    call.start()
    wait_until(lambda: any(tmp_path.glob("started-*")))

    health = read(f"{front.url}/health")
    (tmp_path / "go").touch()
    call.join()

    assert health == {"status": "ready"}


def test_refuses_a_port_that_is_taken(service: LambdaService, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(OSError, match=rf"^port {port} of 127\.0\.0\.1: Address already in use$"):
            Front.start(port, service)

    assert capfd.readouterr() == ("", "")


def test_lets_go_of_its_port_when_it_stops(service: LambdaService) -> None:
    first = Front.start(0, service)
    port = int(first.url.rpartition(":")[2])
    first.stop()

    second = Front.start(port, service)
    second.stop()

    assert second.url == first.url
