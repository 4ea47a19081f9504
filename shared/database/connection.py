"""Give a unit of work one transaction on one connection, opened for it and closed after it.

Nothing outlives the transaction: no pool (a frozen Lambda would hold its connections), no session `SET`, no advisory
locks, temporary tables or named cursors, all of which would make RDS Proxy pin the connection to the client.
`set_config(…, true)` ends with its transaction. RDS Proxy pins for it too, until the client disconnects: with a
connection that lives for one transaction that is the moment when the proxy would take it back anyway.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared.database.credentials import (
    Credentials,
    forget_secrets,
    stored_credentials,
)
from shared.database.errors import DatabaseUnavailableError, LoginRefusedError, code_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

# The server ended the connection: an administrator, a crash, a restart. Class 08 is the connection itself.
LOST = frozenset({"57P01", "57P02", "57P03"})

_configured: Credentials | None = None


def configure(url: str | None) -> None:
    """Point this process at `url` instead of the secret, or, with None, back at the secret.

    For tests and the workshop; a deployed function never calls it.
    """
    global _configured  # noqa: PLW0603 (one process talks to one database; this is the switch)
    _configured = Credentials.from_url(url) if url is not None else None
    forget_secrets()


@contextmanager
def transaction(*, read_only: bool = False) -> Iterator[Connection]:
    """Yield a connection in a transaction that commits at the end of the block and rolls back on an error.

    Args:
        read_only: let the server refuse writes.

    Raises:
        DatabaseUnavailableError: the database cannot be reached or went away. When it went away during the commit,
            whether the work was done is not known: work must be repeatable.
    """
    with _begin(_engine()) as connection:
        if read_only:
            connection.execute(text("SELECT set_config('transaction_read_only', 'on', true)"))
        yield connection


@contextmanager
def connect_to(url: str) -> Iterator[Connection]:
    """Yield a connection to `url`, whatever this process is pointed at, in a transaction as `transaction()` does.

    Raises:
        DatabaseUnavailableError: as for `transaction()`.
    """
    credentials = Credentials.from_url(url)
    with _begin(_make_engine(lambda: _connect(credentials))) as connection:
        yield connection


@contextmanager
def _begin(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        if error.connection_invalidated or _is_loss(sqlstate(error)):
            raise DatabaseUnavailableError(f"the database went away: {error.orig}") from error
        raise


def sqlstate(error: DBAPIError) -> str:
    """Return PostgreSQL's five-character code for `error`, or "" when it came from elsewhere."""
    return code_in(error.orig)


def _is_loss(code: str) -> bool:
    return code in LOST or code.startswith("08")


@cache
def _engine() -> Engine:
    return _make_engine(_connect_as_told)


def _connect_as_told() -> Any:
    """Connect to where this process was pointed, else to where the secret says; looked up for each connection.

    A login that is refused may be one that was rotated since we asked: the secret is read anew, once. Should it still
    be the old one (the rotation changes the database first), or already be the next (a person changed the secret
    first), then our caller's caller tries again later.
    """
    if _configured is not None:
        return _connect(_configured)
    try:
        return _connect(stored_credentials())
    except LoginRefusedError:
        return _connect(stored_credentials(fresh=True))


def _connect(credentials: Credentials) -> Any:
    from shared.database.driver import connect  # noqa: PLC0415 (a tenth of a cold start; SQLAlchemy loads it late too)

    return connect(credentials)


def _make_engine(connect: Callable[[], Any]) -> Engine:
    # Parameters are the customers' data: they stay out of error messages.
    return create_engine("postgresql+pg8000://", creator=connect, poolclass=NullPool, hide_parameters=True)
