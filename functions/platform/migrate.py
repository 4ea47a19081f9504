"""Bring the database's schema up to date; invoked after a deployment."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from shared import database
from shared.observability import logger


def handler(_event: Any, _context: Any) -> dict[str, Any]:
    """Run the migrations that the database lacks and say which. Repeating it is safe: it then finds none."""
    with database.transaction() as connection:
        result = asdict(database.migrate.upgrade(connection))
    logger().info("the schema is up to date", extra=result)
    return result
