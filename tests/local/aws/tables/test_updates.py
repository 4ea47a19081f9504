"""Updates, done directly and moto's own way: what comes out must be the same, or moto's way must have been taken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.dynamodb.models import Table
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing.expressions import UpdateExpressionParser

from local.aws.server import AwsServer
from local.aws.tables import updates
from local.aws.tables.items import MAXIMUM_BYTES

TABLE = Table(
    "updated",
    "123456789012",
    "us-east-1",
    schema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    attr=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}],
    global_indexes=[
        {
            "IndexName": "by-g",
            "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
)
ITEM = {
    "pk": {"S": "one"}, "g": {"S": "group"}, "n": {"N": "3"}, "s": {"S": "text"}, "l": {"L": [{"S": "x"}]},
    "ss": {"SS": ["a", "b"]}, "m": {"M": {"k": {"N": "1"}}},
}  # fmt: skip
NAMES = {"#s": "s", "#n": "n", "#m": "m", "#status": "status"}
VALUES = {
    ":n": {"N": "4"}, ":d": {"N": "0.5"}, ":s": {"S": "new"}, ":e": {"S": ""}, ":l": {"L": [{"N": "1"}]},
    ":ss": {"SS": ["b", "c"]}, ":b": {"BOOL": True},
}  # fmt: skip

paths = st.sampled_from(["n", "s", "l", "ss", "m", "g", "pk", "fresh", "#s", "#n", "#status", "status", "m.k", "l[0]"])
values = st.sampled_from([*VALUES, ":missing"])
operands = st.one_of(
    paths,
    values,
    st.builds("if_not_exists({}, {})".format, paths, values),
    st.builds("list_append({}, {})".format, paths, values),
)
sides = st.one_of(operands, st.builds("{} {} {}".format, operands, st.sampled_from("+-"), operands))
sets = st.lists(st.builds("{} = {}".format, paths, sides), min_size=1, max_size=3).map(", ".join).map("SET {}".format)
removes = st.lists(paths, min_size=1, max_size=3).map(", ".join).map("REMOVE {}".format)
adds = st.builds("ADD {} {}".format, paths, values)
deletes = st.builds("DELETE {} {}".format, paths, values)
expressions = st.lists(st.one_of(sets, removes, adds, deletes), min_size=1, max_size=3).map(" ".join)


def made() -> Item:
    return Item(DynamoType({"S": "one"}), None, copy.deepcopy(ITEM))


def applied(validator: Callable[..., Any], expression: str) -> dict[str, Any] | type[BaseException]:
    """Return the item after the update, or what was raised."""
    item = made()
    try:
        tree = validator(UpdateExpressionParser.make(expression), NAMES, VALUES, item, TABLE).validate()
        tree.normalize()
        updates._executor(tree, item, NAMES).execute()
    except Exception as error:
        return type(error)
    return {name: (each.type, each.cast_value) for name, each in item.attrs.items()}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions)
def test_does_what_moto_does(server: AwsServer, expression: str) -> None:
    assert applied(updates._validator, expression) == applied(updates._original_validator, expression)


@pytest.mark.parametrize(
    "expression",
    [
        "SET #s = :s, #n = #n + :n, fresh = if_not_exists(fresh, :d), l = list_append(l, :l) REMOVE m",
        "ADD n :n, ss :ss, fresh :n SET #s = :s",
        "DELETE ss :ss",
    ],
)
def test_takes_no_walk_for_a_plain_update(server: AwsServer, expression: str) -> None:
    tree = UpdateExpressionParser.make(expression)

    update = updates._validator(tree, NAMES, VALUES, made(), TABLE)

    assert isinstance(update, updates.PlainUpdate)
    assert UpdateExpressionParser.make(expression) is tree


@pytest.mark.parametrize(
    "expression",
    [
        "SET m.k = :n",
        "REMOVE l[0]",
        "SET pk = :s",
        "SET g = :n",
        "SET g = :e",
        "SET status = :s",
        "SET fresh = :missing",
        "SET fresh = missing",
        "SET n = n + :s",
        "ADD s :s",
        "DELETE ss :n",
        "SET s = :s, #s = :s",
        "SET s = :s SET n = :n",
    ],
)
def test_leaves_the_rest_to_moto(server: AwsServer, expression: str) -> None:
    tree = UpdateExpressionParser.make(expression)

    update = updates._validator(tree, NAMES, VALUES, made(), TABLE)

    assert isinstance(update, updates._original_validator)


def test_removes_a_set_with_its_last_element(server: AwsServer) -> None:
    item = made()
    tree = UpdateExpressionParser.make("DELETE ss :all")

    updates._validator(tree, {}, {":all": {"SS": ["a", "b"]}}, item, TABLE).execute()

    assert "ss" not in item.attrs


def test_keeps_a_copied_attribute_apart(aws: Callable[[str], Any], table: str) -> None:
    client, key = aws("dynamodb"), {"pk": {"S": "one"}}
    client.put_item(TableName=table, Item=key | {"a": {"L": [{"N": "1"}]}})
    client.update_item(TableName=table, Key=key, UpdateExpression="SET b = a")

    client.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET b[1] = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )

    item = client.get_item(TableName=table, Key=key)["Item"]
    assert (item["a"], item["b"]) == ({"L": [{"N": "1"}]}, {"L": [{"N": "1"}, {"N": "2"}]})


def test_refuses_an_update_that_makes_an_item_too_large(aws: Callable[[str], Any], table: str) -> None:
    client, key = aws("dynamodb"), {"pk": {"S": "one"}}
    client.put_item(TableName=table, Item=key | {"a": {"S": "x" * 200_000}})

    def grow(name: str) -> None:
        client.update_item(
            TableName=table,
            Key=key,
            UpdateExpression=f"SET {name} = :more",
            ExpressionAttributeValues={":more": {"S": "x" * 210_000}},
        )

    with pytest.raises(ClientError, match="Item size to update has exceeded the maximum allowed size"):
        grow("b")
    grow("a")  # what is replaced does not count

    stored = client.get_item(TableName=table, Key=key)["Item"]
    assert len(stored["a"]["S"]) == 210_000 < MAXIMUM_BYTES
    assert "b" not in stored
