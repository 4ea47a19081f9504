"""Single items, read and written directly and moto's own way: the table and the answers must be the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.api import ApiRequest
from local.aws.tables import plain

KEY = {"pk": {"S": "one"}}
ITEM = KEY | {
    "n": {"N": "3"}, "s": {"S": "Zoë"}, "l": {"L": [{"M": {"k": {"BOOL": True}}}]}, "ss": {"SS": ["a", "b"]},
    "nothing": {"NULL": True},
}  # fmt: skip


def request(operation: str, body: dict[str, Any]) -> ApiRequest:
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/dynamodb/aws4_request, Signature=x",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
    }
    return ApiRequest("POST", "/", tuple(headers.items()), json.dumps(body).encode(), "127.0.0.1", 1)


def answered(operation: str, **body: Any) -> Any:
    """Return what is answered directly; None where moto is to answer."""
    answer = plain.answer(request(operation, body).environ())
    return answer and json.loads(answer[2])


def stored(aws: Callable[[str], Any], table: str) -> Any:
    return aws("dynamodb").scan(TableName=table)["Items"]


def test_writes_and_reads_an_item_of_every_kind_of_value(aws: Callable[[str], Any], table: str) -> None:
    put = answered("PutItem", TableName=table, Item=ITEM, ConditionExpression="attribute_not_exists(pk)")
    got = answered("GetItem", TableName=table, Key=KEY, ConsistentRead=True)

    assert (put, got) == ({}, {"Item": ITEM})
    assert stored(aws, table) == [ITEM]
    assert answered("GetItem", TableName=table, Key={"pk": {"S": "two"}}) == {}


def test_updates_an_item(aws: Callable[[str], Any], table: str) -> None:
    answered("PutItem", TableName=table, Item=ITEM)

    answer = answered(
        "UpdateItem",
        TableName=table,
        Key=KEY,
        UpdateExpression="SET #n = #n + :one, gone = :s REMOVE s",
        ConditionExpression="#n IN (:two, :three)",
        ExpressionAttributeNames={"#n": "n"},
        ExpressionAttributeValues={":one": {"N": "1"}, ":s": {"S": "x"}, ":two": {"N": "2"}, ":three": {"N": "3"}},
        ReturnValues="ALL_NEW",
    )

    after = {name: value for name, value in ITEM.items() if name != "s"} | {"n": {"N": "4"}, "gone": {"S": "x"}}
    assert answer == {"Attributes": after}
    assert stored(aws, table) == [after]


def test_makes_the_item_that_an_update_does_not_find(aws: Callable[[str], Any], table: str) -> None:
    answer = answered(
        "UpdateItem",
        TableName=table,
        Key=KEY,
        UpdateExpression="ADD n :one",
        ConditionExpression="attribute_not_exists(n) OR n < :ten",
        ExpressionAttributeValues={":one": {"N": "1"}, ":ten": {"N": "10"}},
    )

    assert answer == {}
    assert stored(aws, table) == [KEY | {"n": {"N": "1"}}]


UPDATE = {"Key": KEY, "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": "9"}}}


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("PutItem", {"Item": ITEM, "ConditionExpression": "attribute_not_exists(pk)"}),
        ("PutItem", {"Item": ITEM, "ReturnValues": "ALL_OLD"}),
        ("PutItem", {"Item": {"n": {"N": "1"}}}),
        ("PutItem", {"Item": KEY | {"n": {"N": "one"}}}),
        ("PutItem", {"Item": {"pk": {"S": ""}}}),
        ("PutItem", {"Item": {"pk": {"N": "1"}}}),
        ("PutItem", {"Item": KEY | {"b": {"B": "AAEC"}}}),
        ("PutItem", {"Item": KEY | {"ss": {"SS": []}}}),
        ("PutItem", {"Item": KEY | {"a": {"S": "x" * 410_000}}}),
        ("PutItem", {"Item": KEY, "ExpressionAttributeNames": {"#unused": "n"}}),
        ("PutItem", {"Item": KEY, "ConditionExpression": "n = :missing"}),
        ("UpdateItem", UPDATE | {"ConditionExpression": "attribute_not_exists(pk)"}),
        ("UpdateItem", UPDATE | {"ConditionExpression": "n ="}),
        ("UpdateItem", UPDATE | {"UpdateExpression": "SET pk = :n"}),
        ("UpdateItem", UPDATE | {"UpdateExpression": " "}),
        ("UpdateItem", UPDATE | {"UpdateExpression": "SET l[0].k = :n"}),
        ("UpdateItem", UPDATE | {"UpdateExpression": "ADD s :n"}),
        ("UpdateItem", UPDATE | {"ExpressionAttributeValues": {":n": {"N": "9"}, ":unused": {"N": "1"}}}),
        ("UpdateItem", UPDATE | {"Key": {"pk": {"N": "1"}}}),
        ("UpdateItem", UPDATE | {"Key": KEY | {"sk": {"S": "1"}}}),
        ("UpdateItem", UPDATE | {"ReturnValues": "UPDATED_OLD"}),
        ("GetItem", {"Key": {"pk": {"S": ""}}}),
        ("GetItem", {"Key": KEY, "ProjectionExpression": "n"}),
        ("DeleteItem", {"Key": KEY}),
    ],
)
def test_leaves_to_moto_what_is_not_plain_and_changes_nothing(
    aws: Callable[[str], Any], table: str, operation: str, body: dict[str, Any]
) -> None:
    answered("PutItem", TableName=table, Item=ITEM)

    assert answered(operation, TableName=table, **body) is None
    assert stored(aws, table) == [ITEM]


@pytest.mark.parametrize("table_name", ["missing", None, 7])
def test_leaves_a_table_that_is_not_there_to_moto(aws: Callable[[str], Any], table_name: Any) -> None:
    assert answered("PutItem", TableName=table_name, Item=ITEM) is None


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b"\xff"])
def test_leaves_garbage_to_moto(raw: bytes) -> None:
    asked = request("PutItem", {})

    assert plain.answer(ApiRequest("POST", "/", asked.headers, raw, "127.0.0.1", 1).environ()) is None


def test_leaves_a_table_with_a_stream_to_moto(aws: Callable[[str], Any], name: str) -> None:
    aws("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )

    assert answered("PutItem", TableName=name, Item=ITEM) is None
    assert answered("UpdateItem", TableName=name, **UPDATE) is None


def test_says_to_a_client_whose_condition_does_not_hold_what_it_met(aws: Callable[[str], Any], table: str) -> None:
    client = aws("dynamodb")
    client.put_item(TableName=table, Item=ITEM)

    with pytest.raises(ClientError) as raised:
        client.put_item(
            TableName=table,
            Item=ITEM,
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    assert raised.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert raised.value.response["Item"] == ITEM
