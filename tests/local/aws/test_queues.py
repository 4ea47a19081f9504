import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sqs import models as sqs

from local.aws import queues
from local.aws.queues import LocalQueue, find_queue
from local.aws.server import AwsServer
from local.aws.time_scale import TimeScale

MIB = 1_048_576
HOURS = 43_200  # at the tests' scale 432 s: nothing comes back by itself


@pytest.fixture
def client(aws: Callable[[str], Any]) -> Any:
    return aws("sqs")


@pytest.fixture
def make_queue(client: Any, name: str) -> Callable[..., str]:
    def make(suffix: str = "", **attributes: Any) -> str:
        named = {key: str(value) for key, value in attributes.items()}
        url: str = client.create_queue(QueueName=name + suffix, Attributes=named)["QueueUrl"]
        return url

    return make


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads switch within what one request does, as they would under load, only sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def attributes_of(client: Any, url: str) -> dict[str, str]:
    answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    attributes: dict[str, str] = answer["Attributes"]
    return attributes


def arn_of(client: Any, url: str) -> str:
    return attributes_of(client, url)["QueueArn"]


def receive(client: Any, url: str, **wanted: Any) -> list[dict[str, Any]]:
    arguments = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 0, "AttributeNames": ["All"]}
    answer = client.receive_message(QueueUrl=url, **(arguments | wanted))
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def error_of(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def test_loses_nothing_and_hands_out_nothing_twice_between_six_threads(
    client: Any, make_queue: Callable[..., str], frequent_switches: None
) -> None:
    url, senders, each = make_queue(VisibilityTimeout=HOURS), 3, 2_000
    sent = Event()

    def send(sender: int) -> None:
        for start in range(0, each, 10):
            bodies = [f"{sender}-{number}" for number in range(start, start + 10)]
            entries = [{"Id": body, "MessageBody": body} for body in bodies]
            answer = client.send_message_batch(QueueUrl=url, Entries=entries)
            assert len(answer["Successful"]) == 10

    def drain() -> list[str]:
        bodies = []
        while True:
            over = sent.is_set()
            messages = receive(client, url)
            if messages:
                bodies += [message["Body"] for message in messages]
                entries = [
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(messages)
                ]
                answer = client.delete_message_batch(QueueUrl=url, Entries=entries)
                assert len(answer["Successful"]) == len(messages)
            elif over:
                return bodies

    with ThreadPoolExecutor(6) as pool:
        drains = [pool.submit(drain) for _ in range(3)]
        try:
            for done in [pool.submit(send, sender) for sender in range(senders)]:
                done.result()
        finally:
            sent.set()
        received = Counter(body for done in drains for body in done.result())

    expected = {f"{sender}-{number}" for sender in range(senders) for number in range(each)}
    assert received.keys() == expected
    assert [body for body, times in received.items() if times > 1] == []
    assert attributes_of(client, url)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_does_no_more_work_for_a_message_behind_20000_than_behind_100(
    client: Any, make_queue: Callable[..., str]
) -> None:
    url = make_queue(VisibilityTimeout=HOURS)
    queue_name = url.rsplit("/", 1)[1]
    backend = sqs.sqs_backends["123456789012"]["us-east-1"]

    def work() -> None:
        backend.send_message(queue_name, "one more")
        (message,) = backend.receive_message(queue_name, 1, 0, HOURS)
        backend.change_message_visibility(queue_name, message.receipt_handle, 60)
        backend.get_queue_attributes(queue_name, ["All"])
        backend.delete_message(queue_name, message.receipt_handle)

    def fill(number: int) -> None:
        for _ in range(number):
            backend.send_message(queue_name, "backlog")

    fill(100)
    work()
    few = calls_made_by(work)
    fill(19_900)
    many = calls_made_by(work)

    assert many <= 1.2 * few
    assert attributes_of(client, url)["ApproximateNumberOfMessages"] == "20000"


def calls_made_by(work: Callable[[], None]) -> int:
    """Count the calls of functions, Python's and C's: work that no clock can blur."""
    calls = 0

    def profile(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def test_moto_keeps_no_message_that_left(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()
    client.send_message(QueueUrl=url, MessageBody="a")
    (message,) = receive(client, url)
    client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    assert sqs.Message.instances_tracked == []


def test_answers_the_nominal_attributes_and_waits_the_scaled_time(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue(VisibilityTimeout=60, DelaySeconds=50)
    client.send_message(QueueUrl=url, MessageBody="a")

    delayed = attributes_of(client, url)
    (first,) = receive(client, url, WaitTimeSeconds=5)
    (again,) = receive(client, url, WaitTimeSeconds=5)

    assert (delayed["VisibilityTimeout"], delayed["DelaySeconds"]) == ("60", "50")
    assert delayed["ApproximateNumberOfMessagesDelayed"] == "1"
    assert first["MessageId"] == again["MessageId"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


def test_a_long_poll_wakes_when_a_message_comes(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(receive, client, url, WaitTimeSeconds=20)
        client.send_message(QueueUrl=url, MessageBody="a")

    assert [message["Body"] for message in waiting.result(timeout=10)] == ["a"]


def test_an_old_receipt_handle_deletes_nothing(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue(VisibilityTimeout=10)
    client.send_message(QueueUrl=url, MessageBody="a")
    (old,) = receive(client, url)
    (new,) = receive(client, url, WaitTimeSeconds=5, VisibilityTimeout=HOURS)

    client.delete_message(QueueUrl=url, ReceiptHandle=old["ReceiptHandle"])
    kept = attributes_of(client, url)["ApproximateNumberOfMessagesNotVisible"]
    client.delete_message(QueueUrl=url, ReceiptHandle=new["ReceiptHandle"])

    assert kept == "1"
    assert attributes_of(client, url)["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_moves_a_message_to_the_dead_letters_on_the_receive_after_the_last(
    client: Any, make_queue: Callable[..., str]
) -> None:
    dead_letters = make_queue("-dead")
    policy = {"deadLetterTargetArn": arn_of(client, dead_letters), "maxReceiveCount": 2}
    url = make_queue(VisibilityTimeout=0, RedrivePolicy=json.dumps(policy))
    message_id = client.send_message(QueueUrl=url, MessageBody="poison")["MessageId"]

    receives = [receive(client, url) for _ in range(2)]
    before = receive(client, dead_letters)
    last = receive(client, url)

    assert [len(messages) for messages in receives] == [1, 1]
    assert (before, last) == ([], [])
    (moved,) = receive(client, dead_letters)
    assert (moved["MessageId"], moved["Body"]) == (message_id, "poison")


def test_carries_message_attributes_and_a_group_on_a_standard_queue(
    client: Any, make_queue: Callable[..., str]
) -> None:
    url = make_queue()
    attributes = {
        "trace": {"DataType": "String", "StringValue": "t-1"},
        "other": {"DataType": "Number", "StringValue": "7"},
    }
    sent = client.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="org-1", MessageAttributes=attributes)

    (message,) = receive(client, url, MessageAttributeNames=["trace"])

    assert sent["MD5OfMessageAttributes"]
    assert message["MD5OfBody"] == "0cc175b9c0f1b6a831c399e269772661"
    assert message["Attributes"]["MessageGroupId"] == "org-1"
    assert message["MessageAttributes"] == {"trace": attributes["trace"]}


def test_changes_visibility_one_by_one_and_in_a_batch(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue(VisibilityTimeout=HOURS)
    for body in ("a", "b"):
        client.send_message(QueueUrl=url, MessageBody=body)
    first, second = (receive(client, url, MaxNumberOfMessages=1)[0] for _ in range(2))

    client.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    answer = client.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[
            {"Id": "ok", "ReceiptHandle": second["ReceiptHandle"], "VisibilityTimeout": 0},
            {"Id": "late", "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 5},
            {"Id": "far", "ReceiptHandle": second["ReceiptHandle"], "VisibilityTimeout": 99_999},
            {"Id": "odd", "ReceiptHandle": "?", "VisibilityTimeout": 5},
        ],
    )

    assert sorted(message["Body"] for message in receive(client, url)) == ["a", "b"]
    assert [entry["Id"] for entry in answer["Successful"]] == ["ok"]
    assert {entry["Id"]: entry["Code"] for entry in answer["Failed"]} == {
        "late": "InvalidParameterValue",
        "far": "InvalidParameterValue",
        "odd": "ReceiptHandleIsInvalid",
    }


def test_purges_a_queue(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()
    client.send_message(QueueUrl=url, MessageBody="a")

    client.purge_queue(QueueUrl=url)

    assert receive(client, url) == []
    assert attributes_of(client, url)["ApproximateNumberOfMessages"] == "0"


def test_counts_a_message_in_bytes_with_its_attributes(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()
    attribute = {"DataType": "String", "StringValue": "v" * 10}

    client.send_message(QueueUrl=url, MessageBody="x" * MIB)
    too_many_bytes = error_of(client.send_message, QueueUrl=url, MessageBody="é" * (MIB // 2 + 1))
    too_much_beside = error_of(
        client.send_message,
        QueueUrl=url,
        MessageBody="x" * (MIB - 10),
        MessageAttributes={"a": attribute},
    )

    assert too_many_bytes[0] == too_much_beside[0] == "InvalidParameterValue"
    assert "shorter than 1048576 bytes" in too_many_bytes[1]


def test_refuses_a_batch_of_more_than_a_mebibyte(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()
    entries = [{"Id": str(i), "MessageBody": "é" * (MIB // 8)} for i in range(5)]

    code, _ = error_of(client.send_message_batch, QueueUrl=url, Entries=entries)

    assert "BatchRequestTooLong" in code
    assert receive(client, url) == []


def test_fails_the_bad_entry_of_a_batch_and_sends_the_others(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue(MaximumMessageSize=1024)
    entries = [
        {"Id": "good", "MessageBody": "a"},
        {"Id": "long", "MessageBody": "x" * 1025},
        {"Id": "late", "MessageBody": "b", "DelaySeconds": 901},
        {"Id": "control", "MessageBody": "\x07"},
    ]

    answer = client.send_message_batch(QueueUrl=url, Entries=entries)

    assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
    assert {entry["Id"]: entry["Code"] for entry in answer["Failed"]} == {
        "long": "InvalidParameterValue",
        "late": "InvalidParameterValue",
        "control": "InvalidMessageContents",
    }
    assert [message["Body"] for message in receive(client, url)] == ["a"]


def test_refuses_a_fifo_queue_clearly(client: Any, name: str) -> None:
    code, message = error_of(client.create_queue, QueueName=f"{name}.fifo", Attributes={"FifoQueue": "true"})

    assert "UnsupportedOperation" in code
    assert "standard queues only" in message


def test_finds_a_queue_by_its_arn_for_pollers_in_this_process(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue(VisibilityTimeout=HOURS)
    client.send_message(QueueUrl=url, MessageBody="a", MessageGroupId="g")

    queue = find_queue(arn_of(client, url))
    (message,) = queue.receive(10, 5)
    queue.change_visibility(message.receipt_handle, 0)
    (again,) = queue.receive(10, 5)
    queue.delete(again.receipt_handle)

    assert (message.body, message.attributes["MessageGroupId"]) == ("a", "g")
    assert again.attributes["ApproximateReceiveCount"] == "2"
    assert queue.receive(1, 0) == []


@pytest.mark.parametrize("arn", ["nonsense", "arn:aws:sns:us-east-1:123456789012:a", "arn:aws:sqs:us-east-1:1:a"])
def test_has_no_queue_for_another_arn(server: AwsServer, arn: str) -> None:
    with pytest.raises(LookupError, match="no queue"):
        find_queue(arn)


def test_a_poller_ends_when_its_queue_is_deleted(client: Any, make_queue: Callable[..., str]) -> None:
    url = make_queue()
    queue = find_queue(arn_of(client, url))

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(queue.receive, 1, 60)
        client.delete_queue(QueueUrl=url)

    assert waiting.result(timeout=10) == []


def test_installing_again_changes_only_the_time_scale_of_later_queues(
    server: AwsServer, client: Any, make_queue: Callable[..., str]
) -> None:
    before, scale = dict(vars(sqs.SQSBackend)), LocalQueue.time_scale

    queues.install(TimeScale(0.5))
    installed = dict(vars(sqs.SQSBackend))
    queues.install(scale)

    assert installed == before
    assert LocalQueue.time_scale == scale
