"""Every night, ask for each organization's resolved alerts to be cleaned up."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel

from shared import database
from shared.engine import Run, Workflow, fan_out
from shared.events.alerts import CleanupResolvedAlerts
from shared.events.schedule import ScheduleFired
from shared.settings import environment

if TYPE_CHECKING:
    from sqlalchemy import Connection

PAGE: Final = 1_000  # organizations read at a time: memory stays flat however many there are
MARGIN: Final = timedelta(seconds=15)  # more than one page takes, so that a step ends by itself, not by its deadline


class Inboxes(BaseModel):
    """Where this function sends to."""

    alerts_cleanup_resolved_inbox_url: str


class Page(BaseModel):
    """What one step did: the key that it came to (None at the end) and how many events it sent."""

    cursor: str | None
    sent: int


workflow = Workflow("alerts-prepare-cleanup", trigger=ScheduleFired)


@workflow.step
def send_page(cursor: str | None, run: Run) -> Page:
    """Send one event per organization after `cursor`, page by page, as long as there is time.

    Repeating it is safe: the events of a run have the same ids each time, and their receiver does a run once.
    """
    inbox = environment(Inboxes).alerts_cleanup_resolved_inbox_url
    sent = 0
    while True:
        with database.transaction() as connection:
            page = organizations_after(connection, cursor, PAGE)
        sent += fan_out(run, inbox, ((event.organization_id, event) for event in page))
        if len(page) < PAGE:
            return Page(cursor=None, sent=sent)
        cursor = page[-1].organization_id
        if run.remaining() < MARGIN:
            return Page(cursor=cursor, sent=sent)


def organizations_after(connection: Connection, cursor: str | None, limit: int) -> list[CleanupResolvedAlerts]:
    """Return the next `limit` organizations by key as events, their retention as it stands, good or bad."""
    organization = database.tables.organization
    columns = organization.c
    query = organization.select().with_only_columns(columns.id, columns.retention_days)
    if cursor is not None:
        query = query.where(columns.id > cursor)
    return [
        CleanupResolvedAlerts.as_read(organization_id=id_, retention_days=days)
        for id_, days in connection.execute(query.order_by(columns.id).limit(limit))
    ]


handler = workflow.handler
