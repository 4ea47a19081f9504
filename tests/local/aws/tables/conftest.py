from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def table(aws: Callable[[str], Any], name: str) -> str:
    """A table with the key `pk`."""
    aws("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name
