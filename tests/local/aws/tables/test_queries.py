from collections.abc import Callable
from typing import Any

import pytest
from moto.dynamodb.models import Table

ROWS = [(f"p{number % 4}", number, f"g{number % 3}") for number in range(40)]


@pytest.fixture
def rows(aws: Callable[[str], Any], name: str) -> str:
    """A table of 40 items in 4 partitions, with an index of 3, of which every fifth item is missing."""
    client = aws("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "g", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-g",
                "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    for pk, sk, g in ROWS:
        item = {"pk": {"S": pk}, "sk": {"N": str(sk)}} | ({} if sk % 5 == 0 else {"g": {"S": g}})
        client.put_item(TableName=name, Item=item)
    return name


def keys(items: list[dict[str, Any]]) -> list[int]:
    return [int(item["sk"]["N"]) for item in items]


def test_answers_a_partition_in_the_order_of_its_range(aws: Callable[[str], Any], rows: str) -> None:
    def ask(**more: Any) -> list[int]:
        given = {":p": {"S": "p1"}} | more.pop("ExpressionAttributeValues", {})
        condition = more.pop("KeyConditionExpression", "pk = :p")
        answer = aws("dynamodb").query(
            TableName=rows, KeyConditionExpression=condition, ExpressionAttributeValues=given, **more
        )
        return keys(answer["Items"])

    expected = [sk for pk, sk, _ in ROWS if pk == "p1"]
    assert ask() == expected
    assert ask(ScanIndexForward=False, Limit=3) == expected[::-1][:3]
    over = {"KeyConditionExpression": "pk = :p AND sk > :n", "ExpressionAttributeValues": {":n": {"N": "20"}}}
    assert ask(**over) == [sk for sk in expected if sk > 20]


def test_answers_an_index_page_by_page(aws: Callable[[str], Any], rows: str) -> None:
    pages = (
        aws("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=rows,
            IndexName="by-g",
            KeyConditionExpression="g = :g",
            ExpressionAttributeValues={":g": {"S": "g2"}},
            PaginationConfig={"PageSize": 4},
        )
    )

    found = [keys(page["Items"]) for page in pages]

    assert [sk for page in found for sk in page] == [sk for _, sk, g in ROWS if g == "g2" and sk % 5]
    assert {len(page) for page in found[:-2]} == {4}


def test_answers_nothing_for_a_partition_that_is_not_there(aws: Callable[[str], Any], rows: str) -> None:
    client, given = aws("dynamodb"), {":p": {"S": "nobody"}}
    before = client.scan(TableName=rows, Select="COUNT")["Count"]

    answer = client.query(TableName=rows, KeyConditionExpression="pk = :p", ExpressionAttributeValues=given)

    assert answer["Items"] == []
    assert client.scan(TableName=rows, Select="COUNT")["Count"] == before


def test_sorts_no_more_than_it_was_asked_for(
    aws: Callable[[str], Any], rows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_items: list[int] = []
    all_items = Table.all_items
    monkeypatch.setattr(Table, "all_items", lambda self: sorted_items.append(len(self)) or all_items(self))
    client = aws("dynamodb")

    client.query(TableName=rows, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "p1"}})
    client.query(
        TableName=rows,
        IndexName="by-g",
        KeyConditionExpression="g = :g",
        ExpressionAttributeValues={":g": {"S": "g2"}},
    )

    assert sorted_items == [10, len([1 for _, sk, g in ROWS if g == "g2" and sk % 5])]
