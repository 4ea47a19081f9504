import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

THREADS = 16
TRIES = 20


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Let threads switch within what one request does, as they would under load, only sooner."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(work: Callable[[], list[bool]]) -> list[bool]:
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(work) for _ in range(THREADS)]
        return [result for future in done for result in future.result()]


def test_admits_exactly_as_many_as_a_condition_allows(
    aws: Callable[[str], Any], table: str, frequent_switches: None
) -> None:
    dynamodb, limit = aws("dynamodb"), 100

    def admit() -> list[bool]:
        return [
            succeeds(
                dynamodb.update_item,
                TableName=table,
                Key={"pk": {"S": "slots"}},
                UpdateExpression="ADD n :one",
                ConditionExpression="attribute_not_exists(n) OR n < :limit",
                ExpressionAttributeValues={":one": {"N": "1"}, ":limit": {"N": str(limit)}},
            )
            for _ in range(TRIES)
        ]

    admitted = in_threads(admit)

    item = dynamodb.get_item(TableName=table, Key={"pk": {"S": "slots"}})["Item"]
    assert sum(admitted) == limit
    assert item["n"] == {"N": str(limit)}


def test_loses_no_update_that_reported_success(aws: Callable[[str], Any], table: str, frequent_switches: None) -> None:
    dynamodb, key = aws("dynamodb"), {"pk": {"S": "counter"}}
    dynamodb.put_item(TableName=table, Item=key | {"n": {"N": "0"}})

    def advance() -> list[bool]:
        results = []
        for _ in range(TRIES):
            seen = int(dynamodb.get_item(TableName=table, Key=key)["Item"]["n"]["N"])
            results.append(
                succeeds(
                    dynamodb.update_item,
                    TableName=table,
                    Key=key,
                    UpdateExpression="SET n = :new",
                    ConditionExpression="n = :old",
                    ExpressionAttributeValues={
                        ":old": {"N": str(seen)},
                        ":new": {"N": str(seen + 1)},
                    },
                )
            )
        return results

    advanced = in_threads(advance)

    item = dynamodb.get_item(TableName=table, Key=key)["Item"]
    assert item["n"] == {"N": str(sum(advanced))}


def test_answers_each_update_with_the_value_that_it_wrote(
    aws: Callable[[str], Any], table: str, frequent_switches: None
) -> None:
    dynamodb = aws("dynamodb")
    written: list[int] = []

    def add() -> list[bool]:
        for _ in range(TRIES):
            answer = dynamodb.update_item(
                TableName=table,
                Key={"pk": {"S": "sum"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )
            written.append(int(answer["Attributes"]["n"]["N"]))
        return []

    in_threads(add)

    assert sorted(written) == list(range(1, THREADS * TRIES + 1))


def succeeds(call: Callable[..., Any], **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
