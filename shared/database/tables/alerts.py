"""What the alerting service raised, who acknowledged it and how it was resolved."""

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Index, Table, Text, text
from sqlalchemy import func as f
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.metadata import metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    # No foreign key: the services that write alerts may know an organization before this database does or after it has
    # gone, and a cascade would delete any number of rows in one transaction.
    Column("organization_id", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("source", Text, nullable=False),
    Column("correlation_id", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=f.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=f.now()),
    Column("acknowledged", Boolean, nullable=False, server_default=text("false")),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("acknowledged_by", Text),
    Column("resolved", Boolean, nullable=False, server_default=text("false")),
    Column("resolved_at", DateTime(timezone=True)),
    Column("resolved_by", Text),
    Column("resolution_notes", Text),
    Column("tags", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    CheckConstraint("lower(severity) IN ('low', 'medium', 'high', 'critical')", name="severity"),
    CheckConstraint("jsonb_typeof(tags) = 'array'", name="tags"),
)

# The nightly deletion walks this one: the rows that may go, in the order in which they go, and no others.
Index(
    "ix_alerts_resolved",
    alerts.c.organization_id,
    alerts.c.resolved_at,
    alerts.c.id,
    postgresql_where=alerts.c.resolved,
)
