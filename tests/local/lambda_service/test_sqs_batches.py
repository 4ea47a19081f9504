"""The event of a batch and the meaning of its answer."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.aws.messages import ReceivedMessage, md5_of
from local.lambda_service.sqs_batches import MAXIMUM_EVENT_BYTES, failed_message_ids, record, split

ARN = "arn:aws:sqs:us-east-1:123456789012:nightshift_inbox"


def message(name: str = "m", body: str = "hello", **changes: dict[str, dict[str, object]]) -> ReceivedMessage:
    return ReceivedMessage(
        message_id=name,
        receipt_handle=f"handle of {name}",
        body=body,
        attributes={"ApproximateReceiveCount": "1"},
        message_attributes=changes.get("message_attributes", {}),
        md5_of_body=md5_of(body),
    )


def test_a_record_has_what_lambda_puts_into_it() -> None:
    sent = message(
        body='{"x": "ü"}',
        message_attributes={
            "kind": {"DataType": "String", "StringValue": "a"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00"},
        },
    )

    document = json.loads(record(sent, ARN, "us-east-1"))

    assert document == {
        "messageId": "m",
        "receiptHandle": "handle of m",
        "body": '{"x": "ü"}',
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {
            "kind": {"dataType": "String", "stringValue": "a", "stringListValues": [], "binaryListValues": []},
            "blob": {"dataType": "Binary", "binaryValue": "AA==", "stringListValues": [], "binaryListValues": []},
        },
        "md5OfBody": md5_of('{"x": "ü"}'),
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "us-east-1",
    }


@given(st.lists(st.integers(min_value=1, max_value=7 * 1024 * 1024), max_size=10))
def test_batches_hold_every_message_once_in_order_and_fit_when_each_does(sizes: list[int]) -> None:
    messages = [message(str(index)) for index in range(len(sizes))]
    records = [b"0" * size for size in sizes]

    batches = list(split(messages, records))

    assert [entry for batch in batches for entry in batch.messages] == messages
    assert all(len(batch.event) <= MAXIMUM_EVENT_BYTES for batch in batches if len(batch.messages) > 1)


def test_small_messages_share_one_event() -> None:
    messages = [message(str(index)) for index in range(10)]
    records = [record(entry, ARN, "us-east-1") for entry in messages]

    (batch,) = split(messages, records)

    assert [entry["messageId"] for entry in json.loads(batch.event)["Records"]] == [str(index) for index in range(10)]


@pytest.mark.parametrize(
    "response",
    ["null", '""', "{}", "[]", '{"batchItemFailures": []}', '{"batchItemFailures": null}', '{"statusCode": 200}'],
)
def test_an_empty_answer_means_that_all_succeeded(response: str) -> None:
    assert failed_message_ids(response.encode(), {"a", "b"}) == set()


@pytest.mark.parametrize(
    "response",
    [
        "",
        "{nonsense",
        "\x00\x01",
        '"done"',
        "17",
        "true",
        "[1]",
        '{"batchItemFailures": "a"}',
        '{"batchItemFailures": ["a"]}',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"itemIdentifier": ["a"]}]}',
        '{"batchItemFailures": [{"messageId": "a"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "stranger"}]}',
    ],
)
def test_a_wrong_answer_means_that_all_failed(response: str) -> None:
    assert failed_message_ids(response.encode(), {"a", "b"}) == {"a", "b"}


def test_an_answer_may_name_those_that_failed() -> None:
    response = b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "c"}, {"itemIdentifier": "a"}]}'

    assert failed_message_ids(response, {"a", "b", "c"}) == {"a", "c"}


def test_bytes_that_are_no_text_mean_that_all_failed() -> None:
    assert failed_message_ids(b"\xff\xfe\xff", {"a"}) == {"a"}
