"""Plans carried out against moto."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.aws.access import managed_policies
from local.template.apply import ApplyError, apply
from local.template.call import Call
from local.template.deployment import expand
from local.template.placement import Placement

ROOT = Path(__file__).parents[3]
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-abcdef"


@pytest.fixture
def client() -> Iterator[Callable[[str], Any]]:
    managed_policies.install()
    with mock_aws():
        session: Any = boto3.Session("test", "test", region_name="us-east-1")
        yield cache(session.client)


def test_provisions_the_whole_template(client: Callable[[str], Any]) -> None:
    placement = Placement(endpoint_url="https://sqs.us-east-1.amazonaws.com")
    deployment = expand(ROOT / "template.yaml", placement, {"DatabaseSecretArn": SECRET})

    apply(deployment.calls, client)

    queues = client("sqs").list_queues()["QueueUrls"]
    inboxes = {
        function.environment["INBOX_URL"] for function in deployment.functions if "INBOX_URL" in function.environment
    }
    assert inboxes <= set(queues)
    rules = client("events").list_rules(EventBusName=deployment.outputs["EventBusName"])["Rules"]
    assert len([rule for rule in rules if not rule["Name"].startswith("Events-Archive-")]) == 4
    table = client("dynamodb").describe_table(TableName=deployment.outputs["LedgerTable"])["Table"]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {"by-function", "open"}
    (machine,) = client("stepfunctions").list_state_machines()["stateMachines"]
    assert machine["stateMachineArn"] == deployment.state_machines[0].arn


def test_names_the_resource_that_aws_refused(client: Callable[[str], Any]) -> None:
    call = Call("sqs", "create_queue", {"QueueName": "no/queue", "Attributes": {}}, "Inbox")

    with pytest.raises(ApplyError, match=r"Inbox: sqs\.create_queue: "):
        apply([call], client)
