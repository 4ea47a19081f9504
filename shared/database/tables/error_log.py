"""What went wrong in the applications, as their error-logging service wrote it."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.database.tables.metadata import metadata

error_log = Table(
    "error_log",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("timestamp", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    Column("level", Text, nullable=False, server_default="error"),
    Column("code", Text),
    Column("category", Text),
    Column("severity", Text),
    Column("component", Text),
    Column("operation", Text),
    Column("message", Text, nullable=False),
    # Null for an error outside any organization; no foreign key, as for alerts.
    Column("organization_id", Text),
    Column("user_id", Text),
    Column("session_id", Text),
    Column("request_id", Text),
    Column("correlation_id", Text),
    Column("fingerprint", Text),
    Column("stack", Text),
    Column("context", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("retryable", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint(
        "lower(level) IN ('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'critical')",
        name="level",
    ),
    CheckConstraint("lower(severity) IN ('low', 'medium', 'high', 'critical')", name="severity"),
)

# The nightly deletion walks this one. The id makes the order total, so that a chunk has an exact end also where
# thousands of rows share a timestamp.
Index("ix_error_log_timestamp_id", error_log.c.timestamp, error_log.c.id)
