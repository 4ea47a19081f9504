"""Create the organizations, their alerts and the error log, indexed for the nightly deletions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEVERITIES = "lower(severity) IN ('low', 'medium', 'high', 'critical')"
LEVELS = "lower(level) IN ('trace', 'debug', 'info', 'warn', 'warning', 'error', 'fatal', 'critical')"


def upgrade() -> None:
    """Create the tables, then the indexes that the deletions walk."""
    _create_organization()
    _create_alerts()
    _create_error_log()


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    for table in ("error_log", "alerts", "organization"):
        op.drop_table(table)


def _create_organization() -> None:
    op.create_table(
        "organization",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("slug", sa.Text, nullable=False),
        sa.Column("retention_days", sa.Integer),
        _moment("created_at", default=True),
        _moment("updated_at", default=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organization")),
        sa.UniqueConstraint("slug", name=op.f("uq_organization_slug")),
    )


def _create_alerts() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.Text),
        _moment("created_at", default=True),
        _moment("updated_at", default=True),
        _flag("acknowledged"),
        _moment("acknowledged_at"),
        sa.Column("acknowledged_by", sa.Text),
        _flag("resolved"),
        _moment("resolved_at"),
        sa.Column("resolved_by", sa.Text),
        sa.Column("resolution_notes", sa.Text),
        sa.Column("tags", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
        sa.Column("metadata", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
        sa.CheckConstraint(SEVERITIES, name=op.f("ck_alerts_severity")),
        sa.CheckConstraint("jsonb_typeof(tags) = 'array'", name=op.f("ck_alerts_tags")),
    )
    op.create_index(
        "ix_alerts_resolved",
        "alerts",
        ["organization_id", "resolved_at", "id"],
        postgresql_where=sa.text("resolved"),
    )


def _create_error_log() -> None:
    op.create_table(
        "error_log",
        sa.Column("id", sa.BigInteger, sa.Identity(always=False), nullable=False),
        _moment("timestamp", default=True),
        sa.Column("level", sa.Text, nullable=False, server_default="error"),
        sa.Column("code", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("severity", sa.Text),
        sa.Column("component", sa.Text),
        sa.Column("operation", sa.Text),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("organization_id", sa.Text),
        sa.Column("user_id", sa.Text),
        sa.Column("session_id", sa.Text),
        sa.Column("request_id", sa.Text),
        sa.Column("correlation_id", sa.Text),
        sa.Column("fingerprint", sa.Text),
        sa.Column("stack", sa.Text),
        sa.Column("context", JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
        _flag("retryable"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_log")),
        sa.CheckConstraint(LEVELS, name=op.f("ck_error_log_level")),
        sa.CheckConstraint(SEVERITIES, name=op.f("ck_error_log_severity")),
    )
    op.create_index("ix_error_log_timestamp_id", "error_log", ["timestamp", "id"])


def _moment(name: str, *, default: bool = False) -> sa.Column[object]:
    server_default = sa.text("now()") if default else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not default, server_default=server_default)


def _flag(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))
