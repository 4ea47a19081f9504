"""Let moto forget what is gone."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core.common_models import BaseModel


@cache
def install() -> None:
    """Make moto's models without entering them into a list.

    moto 5.2.5: `BaseModel.__new__` keeps every instance of every model for a page of its dashboard: each item ever
    written, each copy that a write or a query makes of one, each execution, for as long as the process runs.
    """
    BaseModel.__new__ = _make


def _make(cls: type[Any], *_: Any, **__: Any) -> Any:
    """Stand in for moto's."""
    return object.__new__(cls)
