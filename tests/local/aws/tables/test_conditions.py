from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.tables import conditions


def put(client: Any, table: str, number: int, condition: str, **values: str) -> bool:
    """Write `n = number` on the condition; return whether it held."""
    given = {"ExpressionAttributeValues": {f":{name}": {"N": value} for name, value in values.items()}}
    try:
        client.put_item(
            TableName=table,
            Item={"pk": {"S": "one"}, "n": {"N": str(number)}},
            ConditionExpression=condition,
            **(given if values else {}),
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def test_reads_a_condition_once_and_its_values_each_time(aws: Callable[[str], Any], table: str) -> None:
    client, condition = aws("dynamodb"), "attribute_not_exists(n) OR n BETWEEN :low AND :high"
    put(client, table, 5, condition, low="0", high="0")
    before = conditions._syntax.cache_info()

    held = [put(client, table, 5, condition, low=low, high=high) for low, high in (("6", "9"), ("1", "5"), ("0", "4"))]

    after = conditions._syntax.cache_info()
    assert held == [False, True, False]
    assert after.misses == before.misses
    assert after.hits > before.hits


def test_reads_it_again_for_other_names(aws: Callable[[str], Any], table: str) -> None:
    client = aws("dynamodb")
    client.put_item(TableName=table, Item={"pk": {"S": "one"}, "a": {"N": "1"}, "b": {"N": "2"}})

    def matches(name: str) -> int:
        answer = client.scan(
            TableName=table,
            FilterExpression="#n = :two",
            ExpressionAttributeNames={"#n": name},
            ExpressionAttributeValues={":two": {"N": "2"}},
        )
        return int(answer["Count"])

    assert [matches("a"), matches("b"), matches("a")] == [0, 1, 0]


def test_refuses_what_it_refused_before(aws: Callable[[str], Any], table: str) -> None:
    client, errors = aws("dynamodb"), []

    for _ in range(2):
        with pytest.raises(ClientError) as raised:
            put(client, table, 1, "n = :a AND AND", a="1")
        errors.append(raised.value.response["Error"])

    assert errors[0] == errors[1]
