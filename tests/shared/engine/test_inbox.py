from __future__ import annotations

from typing import Any

import boto3

from shared.engine.dead_letters import put_aside
from shared.engine.inbox import Message, Redeliver, process
from tests.stack import Stack


def batch(stack: Stack, *ids: str) -> dict[str, Any]:
    return {"Records": [record for id_ in ids for record in stack.message("{}", message_id=id_)["Records"]]}


def test_keeps_back_the_messages_that_raise_and_no_others(stack: Stack) -> None:
    def receive(message: Message) -> None:
        if message.id in {"2", "4"}:
            raise ValueError("no")

    answer = process(batch(stack, "1", "2", "3", "4"), receive)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}, {"itemIdentifier": "4"}]}


def test_asks_for_the_next_delivery_when_it_is_told_a_time(stack: Stack) -> None:
    def receive(message: Message) -> None:
        raise Redeliver("later", 30)

    process(batch(stack, "1"), receive)

    [asked] = stack.asked("ChangeMessageVisibility")
    assert asked == {"QueueUrl": stack.inbox_url, "ReceiptHandle": "handle of 1", "VisibilityTimeout": 30}


def test_keeps_a_message_back_though_its_visibility_cannot_be_changed(stack: Stack) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=stack.inbox_url)

    def receive(message: Message) -> None:
        raise Redeliver("later", 30)

    assert process(batch(stack, "1"), receive) == {"batchItemFailures": [{"itemIdentifier": "1"}]}


def test_shortens_a_long_reason_of_a_dead_letter(stack: Stack) -> None:
    put_aside("{}", function="f", run="r", error={"type": "E", "message": "x" * 5000})

    [dead] = stack.dead_letters()
    assert len(dead["MessageAttributes"]["ErrorMessage"]["StringValue"]) == 1000


def test_sends_a_dead_letter_whose_error_says_nothing(stack: Stack) -> None:
    put_aside("{}", function="f", run="r", error={"type": "E", "message": ""})

    assert len(stack.dead_letters()) == 1
