import http.client
import io
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from boto3.session import Session
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.aws.queues import LocalQueue, find_queue
from local.aws.server import AwsServer


def test_serves_on_a_free_loopback_port(server: AwsServer, aws: Callable[[str], Any]) -> None:
    identity = aws("sts").get_caller_identity()

    assert server.endpoint_url.startswith("http://127.0.0.1:")
    assert identity["Account"] == "123456789012"


def test_answers_several_requests_on_one_connection(server: AwsServer) -> None:
    connection = http.client.HTTPConnection(server.endpoint_url.removeprefix("http://"), timeout=5)
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request",
        "X-Amz-Target": "AmazonSQS.ListQueues",
        "Content-Type": "application/x-amz-json-1.0",
    }

    seen = []
    for _ in range(3):
        connection.request("POST", "/", body=b"{}", headers=headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        assert answer.getheader("Content-Length") is not None
        seen.append(connection.sock)
    connection.close()

    assert seen[0] is not None
    assert seen[0] is seen[1] is seen[2]


def test_takes_bodies_of_every_kind(aws: Callable[[str], Any], name: str) -> None:
    s3, bucket = aws("s3"), name.replace("_", "-")
    s3.create_bucket(Bucket=bucket)
    content = bytes(range(256)) * 4_096

    s3.put_object(Bucket=bucket, Key="a b/ü", Body=io.BytesIO(content))
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")

    assert s3.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == content
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""
    assert s3.head_object(Bucket=bucket, Key="a b/ü")["ContentLength"] == len(content)
    assert s3.delete_object(Bucket=bucket, Key="empty")["ResponseMetadata"]["HTTPStatusCode"] == 204


@pytest.mark.parametrize("way", ["in process", "over HTTP"])
def test_answers_clients_in_this_process_and_others_alike(
    server: AwsServer, aws: Callable[[str], Any], name: str, way: str
) -> None:
    client = server.client("sqs") if way == "in process" else aws("sqs")

    url = client.create_queue(QueueName=name)["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="Zoë")
    messages = aws("sqs").receive_message(QueueUrl=url)["Messages"]
    with pytest.raises(ClientError) as raised:
        client.get_queue_url(QueueName=f"{name}-missing")

    assert url == f"{server.endpoint_url}/123456789012/{name}"
    assert [message["Body"] for message in messages] == ["Zoë"]
    assert isinstance(raised.value, client.exceptions.QueueDoesNotExist)


def test_stores_objects_without_a_socket(server: AwsServer, name: str) -> None:
    s3, bucket = server.client("s3"), name.replace("_", "-")
    s3.create_bucket(Bucket=bucket)

    s3.put_object(Bucket=bucket, Key="a b/ü", Body=io.BytesIO(b"content"))

    assert s3.get_object(Bucket=bucket, Key="a b/ü")["Body"].read() == b"content"


def test_makes_one_client_a_service_and_calls_it_from_many_threads(server: AwsServer, name: str) -> None:
    def create(number: int) -> str:
        url: str = server.client("sqs").create_queue(QueueName=f"{name}-{number}")["QueueUrl"]
        return url

    with ThreadPoolExecutor(8) as pool:
        urls = list(pool.map(create, range(40)))

    assert [url.rsplit("-", 1)[1] for url in urls] == [str(number) for number in range(40)]
    assert server.client("sqs") is server.client("sqs")


def test_is_quiet(
    server: AwsServer,
    aws: Callable[[str], Any],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)

    aws("sqs").list_queues()

    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name == "werkzeug"] == []


def test_says_that_a_port_is_taken(server: AwsServer) -> None:
    port = int(server.endpoint_url.rsplit(":", 1)[1])

    with pytest.raises(OSError, match="in use"):
        AwsServer.start(port, time_scale=LocalQueue.time_scale)


def test_stops_with_its_connections_and_the_polls_that_wait(name: str, server: AwsServer) -> None:
    other = AwsServer.start(time_scale=LocalQueue.time_scale)
    address = ("127.0.0.1", int(other.endpoint_url.rsplit(":", 1)[1]))
    session = Session("local", "local", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    client = session.client("sqs", endpoint_url=other.endpoint_url, config=config)
    url = client.create_queue(QueueName=name)["QueueUrl"]
    idle = socket.create_connection(address, timeout=5)

    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(client.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        threads_before = wait_for_a_poll_of(name)
        other.stop()
        with pytest.raises(ConnectionClosedError):
            poll.result(timeout=5)

    assert idle.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)
    wait_until(lambda: threading.active_count() < threads_before, "the threads end")
    idle.close()
    client.close()


def wait_for_a_poll_of(name: str) -> int:
    """Return how many threads there are once one waits for a message of the queue."""
    changed: Any = find_queue(f"arn:aws:sqs:us-east-1:123456789012:{name}")._store._changed
    wait_until(lambda: bool(changed._waiters), "somebody polls")
    return threading.active_count()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    limit = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < limit, what
