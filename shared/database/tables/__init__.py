"""The database's tables as SQLAlchemy Core knows them; Alembic compares them with what its revisions made."""

from shared.database.tables.alerts import alerts
from shared.database.tables.error_log import error_log
from shared.database.tables.metadata import metadata
from shared.database.tables.organization import organization

__all__ = ["alerts", "error_log", "metadata", "organization"]
