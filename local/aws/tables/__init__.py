"""DynamoDB in this process: moto's tables, made atomic between threads and fast enough to be written twice a task."""

from __future__ import annotations

from functools import cache

from local.aws.tables import atomicity, conditions, items, queries, updates

__all__ = ["SHIMS", "install"]

SHIMS = (
    atomicity.answer_one_request_at_a_time,
    conditions.parse_each_condition_once,
    updates.parse_each_update_once,
    updates.apply_plain_updates_directly,
    items.measure_each_item_once,
    queries.read_what_a_query_names,
)


@cache
def install() -> None:
    """Make moto's DynamoDB behave between threads as one of a single thread does, in a fraction of the time."""
    for shim in SHIMS:
        shim()
