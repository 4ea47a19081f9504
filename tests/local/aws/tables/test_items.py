from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

from local.aws.server import AwsServer


def test_measures_each_attribute_once(server: AwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[Any] = []
    size = DynamoType.size
    monkeypatch.setattr(DynamoType, "size", lambda self: measured.append(self) or size(self))

    item = Item(DynamoType({"S": "k"}), None, {f"a{number}": {"S": "x"} for number in range(50)})

    assert isinstance(item.attrs, LimitedSizeDict)
    assert len(measured) == 50


def test_refuses_an_item_that_is_too_large(aws: Callable[[str], Any], table: str) -> None:
    halves = {name: {"S": "x" * 203_000} for name in ("a", "b")}

    with pytest.raises(ClientError, match="Item size has exceeded the maximum allowed size"):
        aws("dynamodb").put_item(TableName=table, Item={"pk": {"S": "one"}} | halves)

    assert "Item" not in aws("dynamodb").get_item(TableName=table, Key={"pk": {"S": "one"}})
