"""Carry JSON values into JSONata and back without losing null, integers or time zones."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from jsonata import Utils

# Beyond this a float no longer tells neighbouring integers apart, so making it one would invent digits.
LARGEST_EXACT_FLOAT = 2**53


class ExpressionError(ValueError):
    """The expression cannot be parsed or evaluated, or what it returns is not JSON."""


def to_bound(value: Any) -> Any:
    """Copy a JSON value for an expression: JSON's null is jsonata-python's own, None is undefined there."""
    if value is None:
        return Utils.NULL_VALUE
    if isinstance(value, dict):
        return {name: to_bound(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_bound(item) for item in value]
    if isinstance(value, dt.datetime):
        return aws_time(value)
    return value


def to_json(value: Any) -> Any:
    """Copy an expression's result as plain JSON types; 3.0 is 3, as it is in JSON from JSONata."""
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("threw an error during evaluation. D1001: Number out of range")
        return int(value) if value.is_integer() and abs(value) <= LARGEST_EXACT_FLOAT else value
    if isinstance(value, Utils.RangeList):
        # Its iterator leaves out the last number; its index does not.
        return [value[index] for index in range(len(value))]
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {name: to_json(member) for name, member in value.items()}
    raise ExpressionError("returned an unsupported result type.")


def aws_time(moment: dt.datetime) -> str:
    """Format a time as the context object has it: 2025-01-31T05:00:00.123Z."""
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
