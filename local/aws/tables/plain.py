"""Answer the reads and writes of single items that a running job makes, without moto's way there and back.

Only what succeeds is answered here: a request with any other parameter, a condition that does not hold and every
error go moto's way from the start, before anything was changed, so that moto alone words what is wrong.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from moto.dynamodb import responses
from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.models import DynamoDBBackend, Table, dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.iam.models import get_account_id_from

from local.aws.tables import updates
from local.aws.tables.atomicity import LOCK
from local.aws.tables.updates import NotPlainError

Body = Mapping[str, Any]
Answered = tuple[int, list[tuple[str, str]], bytes]

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d+/([a-z0-9-]+)/dynamodb/aws4_request")
_BINARY = re.compile(rb'"BS?"')  # in a body that may hold binary values, which travel in base64
_CONDITION: Final = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ReturnValuesOnConditionCheckFailure",
}


def answer(environ: Mapping[str, Any]) -> Answered | None:
    """Return status, headers and body; None for what moto is to answer."""
    known = _OPERATIONS.get(environ["HTTP_X_AMZ_TARGET"].partition(".")[2])
    credential = _CREDENTIAL.search(environ["HTTP_AUTHORIZATION"])
    raw = environ["wsgi.input"].getvalue()
    if known is None or credential is None or _BINARY.search(raw) or "HTTP_X_MOTO_ACCOUNT_ID" in environ:
        return None
    parameters, operation = known
    try:
        body = json.loads(raw)
        if not body.keys() <= parameters:
            return None
        with LOCK:
            result = operation(dynamodb_backends[get_account_id_from(credential[1])][credential[2]], body)
    except Exception:  # noqa: BLE001  # whatever it is: nothing was changed, and moto says what it means
        return None
    text = json.dumps(result, default=_base64).encode()
    return 200, _headers(text), text


def get_item(backend: DynamoDBBackend, body: Body) -> dict[str, Any]:
    """Read an item by its key."""
    table = backend.get_table(body["TableName"])
    item = table.get_item(*_key(table, body["Key"]))
    return {} if item is None else {"Item": _attributes(item)}


def put_item(backend: DynamoDBBackend, body: Body) -> dict[str, Any]:
    """Write a whole item where the condition holds."""
    table, item = _unwatched(backend.get_table(body["TableName"])), body["Item"]
    responses.validate_put_has_empty_keys(item, table)
    responses.validate_put_has_empty_attrs(item, table)
    responses.validate_put_has_gsi_keys_set_to_none(item, table)
    names, values = _placeholders(body)
    condition = body.get("ConditionExpression")
    used, _ = _condition_parts(condition, names, values)
    if not names.keys() <= used:
        raise NotPlainError
    table.put_item(item, None, condition, names, values, overwrite=condition is None)
    return {}


def update_item(backend: DynamoDBBackend, body: Body) -> dict[str, Any]:
    """Apply an update expression to an item, or to a new one, where the condition holds."""
    table = _unwatched(backend.get_table(body["TableName"]))
    answers = body.get("ReturnValues", "NONE")
    if answers not in {"NONE", "ALL_NEW"}:
        raise NotPlainError
    names, values = _placeholders(body)
    expression = UpdateExpressionParser.make(body["UpdateExpression"].strip())
    key = _key(table, body["Key"])
    found = table.get_item(*key)
    used_names, used_values = updates.placeholders(expression)
    condition_names, condition_values = _condition_parts(body.get("ConditionExpression"), names, values, found)
    if not (names.keys() <= used_names | condition_names and values.keys() <= used_values | condition_values):
        raise NotPlainError
    item = Item(*key, {}) if found is None else found
    update = updates.plain_update(expression, names, values, item, table)
    if found is None:
        update.change(table.put_item(dict(body["Key"])))
    else:
        update.execute()
    return {"Attributes": _attributes(table.get_item(*key))} if answers == "ALL_NEW" else {}


_OPERATIONS: Final[Mapping[str, tuple[set[str], Callable[[DynamoDBBackend, Body], dict[str, Any]]]]] = {
    "GetItem": ({"TableName", "Key", "ConsistentRead"}, get_item),
    "PutItem": ({"TableName", "Item"} | _CONDITION, put_item),
    "UpdateItem": ({"TableName", "Key", "UpdateExpression", "ReturnValues"} | _CONDITION, update_item),
}


def _unwatched(table: Table) -> Table:
    """Return a table that has no stream, which would be told of each write."""
    if table.stream_shard is not None:
        raise NotPlainError
    return table


def _key(table: Table, key: Mapping[str, Mapping[str, str]]) -> tuple[DynamoType, DynamoType | None]:
    """Return hash and range value of a key that has just these, each of its type and not empty."""
    types = {table.hash_key_attr: table.hash_key_type}
    if table.range_key_attr is not None:
        types[table.range_key_attr] = table.range_key_type
    if types != {name: next(iter(value)) for name, value in key.items() if next(iter(value.values()))}:
        raise NotPlainError
    range_value = None if table.range_key_attr is None else DynamoType(key[table.range_key_attr])
    return DynamoType(key[table.hash_key_attr]), range_value


def _placeholders(body: Body) -> tuple[Mapping[str, str], Mapping[str, Any]]:
    names, values = body.get("ExpressionAttributeNames", {}), body.get("ExpressionAttributeValues", {})
    if "ExpressionAttributeValues" in body and not values:
        raise NotPlainError
    if any(not name.startswith(":") or value == {"NS": []} for name, value in values.items()):
        raise NotPlainError
    return names, values


_ANY: Final = object()


def _condition_parts(
    condition: str | None, names: Mapping[str, str], values: Mapping[str, Any], item: Any = _ANY
) -> tuple[set[str], set[str]]:
    """Return the names and values that a condition uses; with an item, the condition must hold for it."""
    parser = create_condition_expression_parser(condition, names, values)
    parsed = parser.parse()
    if item is not _ANY and not parsed.expr(item):
        raise NotPlainError
    return set(parser.expr_attr_names_found), set(parser.expr_attr_values_found)


def _attributes(item: Any) -> dict[str, Any]:
    return {name: value.to_regular_json() for name, value in item.attrs.items()}


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode()


def _headers(text: bytes) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/x-amz-json-1.0"),
        ("x-amzn-RequestId", secrets.token_hex(26).upper()),
        ("x-amz-crc32", str(zlib.crc32(text))),
    ]
