"""Read only those items for a query that have the keys that it names."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from moto.dynamodb.models import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from moto.dynamodb.models.dynamo_type import DynamoType, Item

_INDEX_NAME = 6  # the place of `index_name` among the arguments after the hash key, as moto's backend gives them

_original_query = Table.query


def read_what_a_query_names() -> None:
    """Let moto's query run on a table that holds just the items with the query's hash keys.

    moto 5.2.5: each query sorts the whole table before it looks at a key: 1 s for a page of an index over 50,000
    items, and as long for the one item of a partition, during which every other request waits.
    """
    Table.query = _query


def _query(self: Any, hash_key: Any, *others: Any, **more: Any) -> Any:
    """Stand in for moto's, whose results, errors and pages stay as they are."""
    named = more.get("hash_key_conditions")
    if others[_INDEX_NAME] is None:
        found: Iterable[Item] = _partition(self, hash_key)
    elif named:
        found = (item for item in _items(self) if all(_has(item, name, value) for name, value in named))
    else:
        return _original_query(self, hash_key, *others, **more)
    narrow = copy.copy(self)
    narrow.items = defaultdict(dict)
    for item in found:
        if self.range_key_attr is None:
            narrow.items[item.hash_key] = item
        else:
            narrow.items[item.hash_key][item.range_key] = item
    return _original_query(narrow, hash_key, *others, **more)


def _items(table: Any) -> Iterable[Item]:
    for entry in table.items.values():
        if table.range_key_attr is None:
            yield entry
        else:
            yield from entry.values()


def _partition(table: Any, hash_key: Any) -> Iterable[Item]:
    if hash_key not in table.items:  # a lookup would make an empty partition
        return ()
    entry = table.items[hash_key]
    return (entry,) if table.range_key_attr is None else entry.values()


def _has(item: Item, name: str, value: DynamoType) -> bool:
    found = item.attrs.get(name)
    return found is not None and found.type == value.type and found.cast_value == value.cast_value
