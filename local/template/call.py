"""One AWS call of a plan: frozen, so that a test can compare what would be done with what should be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Call:
    """`operation` is the boto3 client's method; `resource` is the logical id it is for, which messages name."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    resource: str = field(default="", compare=False)
