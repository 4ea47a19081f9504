"""Apply plain update expressions without moto's ten walks over a copy of their syntax tree.

Plain is an expression whose paths are whole attributes, none of them a key of the table, and whose values have the
types that its operators take. Nothing else is decided here: what is not plain, every error among it, goes moto's way
from the start, before anything was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.parsing import ast_nodes as ast
from moto.dynamodb.parsing.expressions import UpdateExpressionParser
from moto.dynamodb.parsing.reserved_keywords import ReservedKeywords

from local.aws.tables.items import MAXIMUM_BYTES, put

KEPT = 1024  # expressions; a stack has some dozens

Action = Callable[["Request"], tuple[str, DynamoType | None]]  # the attribute and its new value, None for none
Operand = Callable[["Request"], DynamoType]

_ACTIONS = [
    ast.UpdateExpressionSetAction,
    ast.UpdateExpressionRemoveAction,
    ast.UpdateExpressionAddAction,
    ast.UpdateExpressionDeleteAction,
]
_CLAUSES = [
    ast.UpdateExpressionSetClause,
    ast.UpdateExpressionRemoveClause,
    ast.UpdateExpressionAddClause,
    ast.UpdateExpressionDeleteClause,
]

_original_make = UpdateExpressionParser.make
_original_validator = models.UpdateExpressionValidator
_original_executor = models.UpdateExpressionExecutor


class NotPlainError(Exception):
    """The expression, or what it meets in this item, is moto's to deal with."""


class Request:
    """What one update brings along and what it meets."""

    def __init__(self, names: Mapping[str, str], values: Mapping[str, Any], item: Any, table: Any) -> None:
        self._names = names
        self._values = values
        self._table = table
        self.item = item

    def name(self, written: str) -> str:
        """Return the attribute that a path means."""
        name = self._names.get(written) if written.startswith("#") else written
        if name is None or name in self._table.table_key_attrs:
            raise NotPlainError
        return name

    def found(self, written: str) -> DynamoType | None:
        """Return the attribute's value in the item, as it was before the update."""
        return self.item.attrs.get(self.name(written))

    def value(self, placeholder: str) -> DynamoType:
        """Return a value that the request brought."""
        if placeholder not in self._values:
            raise NotPlainError
        return DynamoType(self._values[placeholder])

    def settable(self, name: str, value: DynamoType) -> DynamoType:
        """Return `value` if an attribute of that name may have it."""
        if any(each["AttributeName"] == name and each["AttributeType"] != value.type for each in self._table.attr):
            raise NotPlainError
        if not value.value and value.type in {"S", "B"} and name in self._table.attribute_keys:
            raise NotPlainError
        return value


class PlainUpdate:
    """The changes that an update makes; takes the place of moto's validated tree and of what executes it."""

    def __init__(self, item: Any, changes: Mapping[str, DynamoType | None]) -> None:
        self._item = item
        self._changes = changes

    def validate(self) -> PlainUpdate:
        """Return itself: it was made from what is valid."""
        return self

    def normalize(self) -> None:
        """Do nothing: removals of whole attributes have no order."""

    def execute(self) -> None:
        """Change the item."""
        self.change(self._item)

    def change(self, item: Any) -> None:
        """Change an item that is as the one that the update was made for."""
        for name, value in self._changes.items():
            if value is None:
                item.attrs.pop(name, None)
            else:
                put(item.attrs, name, value)


def parse_each_update_once() -> None:
    """Keep the syntax tree of an update expression by its text; nobody changes it, moto's validator takes a copy.

    moto 5.2.5: each request tokenizes and parses its expression twice, 0.8 ms for the end of a ledger row.
    """
    UpdateExpressionParser.make = lru_cache(KEPT)(_original_make)


def apply_plain_updates_directly() -> None:
    """Work out what a plain update changes from its syntax tree, once read, and change it.

    moto 5.2.5: each update deep-copies its syntax tree and walks over it ten times, with an isinstance check of
    abstract classes at each node: 2.5 ms for the end of a ledger row.
    """
    models.UpdateExpressionValidator = _validator
    models.UpdateExpressionExecutor = _executor


def plain_update(
    expression: Any, names: Mapping[str, str], values: Mapping[str, Any], item: Any, table: Any
) -> PlainUpdate:
    """Return what an expression's update of an item is, without changing it; raise NotPlainError (and see there).

    A number that moto cannot add raises TypeError or ValueError.
    """
    return PlainUpdate(item, _changes(plain_actions(expression), Request(names, values, item, table)))


def _validator(  # the signature is moto's
    expression: Any,
    expression_attribute_names: Mapping[str, str] | None,
    expression_attribute_values: Mapping[str, Any] | None,
    item: Any,
    table: Any,
) -> Any:
    """Stand in for moto's class."""
    names, values = expression_attribute_names or {}, expression_attribute_values or {}
    try:
        return plain_update(expression, names, values, item, table)
    except (NotPlainError, TypeError, ValueError):
        return _original_validator(expression, expression_attribute_names, expression_attribute_values, item, table)


def _executor(update: Any, item: Any, expression_attribute_names: Mapping[str, str] | None) -> Any:
    """Stand in for moto's class."""
    if isinstance(update, PlainUpdate):
        return update
    return _original_executor(update, item, expression_attribute_names)


def _changes(actions: tuple[Action, ...] | None, request: Request) -> dict[str, DynamoType | None]:
    if actions is None:
        raise NotPlainError
    changes: dict[str, DynamoType | None] = {}
    for action in actions:
        name, value = action(request)
        if name in changes:
            raise NotPlainError
        changes[name] = value
    if _size_after(request.item, changes) > MAXIMUM_BYTES:
        raise NotPlainError
    return changes


def _size_after(item: Any, changes: Mapping[str, DynamoType | None]) -> int:
    size = int(item.size())
    for name, value in changes.items():
        width, before = len(name.encode()), item.attrs.get(name)
        size -= 0 if before is None else width + before.size()
        size += 0 if value is None else width + value.size()
    return size


@lru_cache(KEPT)
def placeholders(expression: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names and the values that the expression of a syntax tree uses."""
    return (
        frozenset(node.get_attribute_name_placeholder() for node in _leaves(expression, ast.ExpressionAttributeName)),
        frozenset(node.get_value_name() for node in _leaves(expression, ast.ExpressionAttributeValue)),
    )


def _leaves(expression: Any, kind: type[Any]) -> list[Any]:
    leaves: list[Any] = expression.find_clauses([kind])
    return leaves


@lru_cache(KEPT)
def plain_actions(expression: Any) -> tuple[Action, ...] | None:
    """Return what the expression of a syntax tree does, in its order; None when it is not plain."""
    if any(len(expression.find_clauses([clause])) > 1 for clause in _CLAUSES):
        return None
    try:
        return tuple(_action(node) for node in expression.find_clauses(_ACTIONS))
    except NotPlainError:
        return None


def _action(node: Any) -> Action:
    path = _attribute(node.children[0])
    match node:
        case ast.UpdateExpressionRemoveAction():
            return lambda request: (request.name(path), None)
        case ast.UpdateExpressionSetAction():
            operand = _operand(node.children[1])
            return lambda request: (name := request.name(path), request.settable(name, operand(request)))
    combine = _added if isinstance(node, ast.UpdateExpressionAddAction) else _deleted
    operand = _operand(node.children[1])
    return lambda request: (request.name(path), combine(request.found(path), operand(request)))


def _operand(node: Any) -> Operand:
    match node:
        case ast.UpdateExpressionValue(children=[only]):
            return _operand(only)
        case ast.UpdateExpressionValue(children=[left, sign, right]):
            return _sum(_operand(left), sign.get_operator(), _operand(right))
        case ast.ExpressionAttributeValue():
            placeholder = node.get_value_name()
            return lambda request: request.value(placeholder)
        case ast.UpdateExpressionPath():
            path = _attribute(node)
            return lambda request: _present(request.found(path))
        case ast.UpdateExpressionFunction(children=["if_not_exists", first, second]):
            path, default = _attribute(_only(first)), _operand(second)
            return lambda request: found if (found := request.found(path)) is not None else default(request)
        case ast.UpdateExpressionFunction(children=["list_append", first, second]):
            head, tail = _operand(first), _operand(second)
            return lambda request: _joined(head(request), tail(request))
    raise NotPlainError


def _attribute(node: Any) -> str:
    """Return the attribute as a path of one element writes it."""
    match node:
        case ast.UpdateExpressionPath(children=[ast.ExpressionAttributeName() as only]):
            return str(only.get_attribute_name_placeholder())
        case ast.UpdateExpressionPath(children=[ast.ExpressionAttribute() as only]):
            name = str(only.get_attribute_name())
            if name.upper() not in ReservedKeywords.get_reserved_keywords():
                return name
    raise NotPlainError


def _only(node: Any) -> Any:
    return _only(node.children[0]) if isinstance(node, ast.UpdateExpressionValue) and len(node.children) == 1 else node


def _sum(left: Operand, sign: str, right: Operand) -> Operand:
    def summed(request: Request) -> DynamoType:
        one, other = left(request), right(request)
        if not one.type == other.type == "N":
            raise NotPlainError
        return one + other if sign == "+" else one - other

    return summed


def _present(found: DynamoType | None) -> DynamoType:
    if found is None:
        raise NotPlainError
    return DynamoType(found)


def _joined(head: DynamoType, tail: DynamoType) -> DynamoType:
    if not head.type == tail.type == "L":
        raise NotPlainError
    joined = DynamoType({"L": []})
    joined.value = [*head.value, *tail.value]
    return joined


def _added(found: DynamoType | None, value: DynamoType) -> DynamoType:
    """Return a number's sum or a set's union; either begins with what is added."""
    if found is None:
        found = DynamoType({value.type: "0" if value.type == "N" else []})
    if found.type != value.type or not (value.is_number() or value.is_set()) or not value.value:
        raise NotPlainError
    if value.is_number():
        return found + value
    return DynamoType({value.type: list(dict.fromkeys([*found.value, *value.value]))})


def _deleted(found: DynamoType | None, value: DynamoType) -> DynamoType | None:
    """Return what is left of a set, None for nothing: DynamoDB has no empty sets."""
    if not value.is_set() or (found is not None and found.type != value.type):
        raise NotPlainError
    left = [each for each in found.value if each not in value.value] if found is not None else []
    return DynamoType({value.type: left}) if left else None
