"""The organizations, and how many days each wants its resolved alerts kept."""

from sqlalchemy import Column, DateTime, Integer, Table, Text, func

from shared.database.tables.metadata import metadata

organization = Table(
    "organization",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("slug", Text, nullable=False, unique=True),
    # No check: another application writes this table. The worker refuses what is not 1 to 365, and says so.
    Column("retention_days", Integer),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
