"""What DynamoDB's operations need.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from local.aws.access.needs.need import Need, on_everything

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import ApiCall
    from local.aws.access.needs.need import Rule

_ON_A_TABLE: Final = (
    "CreateTable", "DeleteItem", "DeleteTable", "DescribeContinuousBackups", "DescribeTable", "DescribeTimeToLive",
    "GetItem", "PutItem", "Query", "Scan", "UpdateItem", "UpdateTable", "UpdateTimeToLive",
)  # fmt: skip
# A transaction needs what its parts need, and nothing for being one.
_TRANSACTION_PARTS: Final = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem"} | {
    "ConditionCheck": "ConditionCheckItem"
}


def _table(operation: str) -> Rule:
    return lambda call: [Need(f"dynamodb:{operation}", _arn(call, call.parameters))]


def _batch(call: ApiCall) -> list[Need]:
    tables = _mapping(call.parameters.get("RequestItems"))
    return [Need(f"dynamodb:{call.operation}", _arn(call, {"TableName": table})) for table in tables]


def _transaction(call: ApiCall) -> list[Need]:
    needs = [
        Need(f"dynamodb:{_TRANSACTION_PARTS[kind]}", _arn(call, _mapping(part)))
        for item in call.parameters.get("TransactItems") or []
        for kind, part in _mapping(item).items()
        if kind in _TRANSACTION_PARTS
    ]
    return list(dict.fromkeys(needs))


def _arn(call: ApiCall, parameters: Mapping[str, Any]) -> str:
    """Return the ARN of a table, or of its index where one is read: a right on the table is none on its indexes."""
    table = str(parameters.get("TableName", ""))
    arn = table if table.startswith("arn:") else call.arn(f"table/{table}")
    index = parameters.get("IndexName")
    return f"{arn}/index/{index}" if index else arn


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


OPERATIONS: Final[Mapping[str, Rule]] = {
    **{operation: _table(operation) for operation in _ON_A_TABLE},
    "BatchGetItem": _batch,
    "BatchWriteItem": _batch,
    "TransactGetItems": _transaction,
    "TransactWriteItems": _transaction,
    "ListTables": on_everything("dynamodb:ListTables"),
}
