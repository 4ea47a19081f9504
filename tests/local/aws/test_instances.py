from collections.abc import Callable
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.events.models import Rule


def test_keeps_no_list_of_what_was_made(aws: Callable[[str], Any], name: str) -> None:
    before = len(Item.instances_tracked), len(Rule.instances_tracked)
    client, events = aws("dynamodb"), aws("events")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )

    for _ in range(3):
        client.put_item(TableName=name, Item={"pk": {"S": "one"}})
        client.update_item(TableName=name, Key={"pk": {"S": "one"}}, UpdateExpression="REMOVE nothing")
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)")

    assert (len(Item.instances_tracked), len(Rule.instances_tracked)) == before
    assert events.describe_rule(Name=name)["Name"] == name
