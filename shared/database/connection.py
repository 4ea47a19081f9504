"""Give a unit of work one transaction on one connection, opened for it and closed after it.

Nothing outlives the transaction: no pool (a frozen Lambda would hold its connections), no session `SET`, no advisory
locks, temporary tables or named cursors, all of which would make RDS Proxy pin the connection to the client.
`set_config(…, true)` ends with its transaction. RDS Proxy pins for it too, until the client disconnects: with a
connection that lives for one transaction that is the moment when the proxy would take it back anyway.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pg8000
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared.database.credentials import (
    Credentials,
    forget_secrets,
    stored_credentials,
)
from shared.settings import environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

CONNECT_TIMEOUT_SECONDS = 5
# A peer that vanished without a word is noticed after about a minute instead of the two hours of the system's default.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
# The server ended the connection: an administrator, a crash, a restart. Class 08 is the connection itself.
LOST = frozenset({"57P01", "57P02", "57P03"})

_configured: Credentials | None = None


class TlsSettings(BaseModel):
    """Whom to trust about a database on the network."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # A file of certificates. An RDS instance's is signed by Amazon's own RDS authority, which no system trusts by
    # itself; a proxy's is public. Empty: the system's authorities.
    database_ca_bundle: str = ""


class DatabaseUnavailableError(Exception):
    """The database cannot be reached, refuses us or went away; trying again later may help."""


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
    return _code(error.orig)


def _code(error: BaseException | None) -> str:
    details = error.args[0] if error is not None and error.args else None
    return str(details.get("C", "")) if isinstance(details, dict) else ""


def _is_loss(code: str) -> bool:
    return code in LOST or code.startswith("08")


@cache
def _engine() -> Engine:
    # The credentials are looked up for each connection, so that a rotation is noticed.
    return _make_engine(lambda: _connect(_configured or stored_credentials()))


def _make_engine(connect: Callable[[], Any]) -> Engine:
    # Parameters are the customers' data: they stay out of error messages.
    return create_engine("postgresql+pg8000://", creator=connect, poolclass=NullPool, hide_parameters=True)


class _Connection(pg8000.Connection):  # type: ignore[misc] # pg8000 ships no types
    """A connection that gives its socket back also when the server went away.

    pg8000 1.31: `close()` leaves the socket to the garbage collector when its last message cannot be sent.
    """

    def close(self) -> None:
        """Say goodbye to the server if it is there, and close the socket."""
        link = self._usock
        try:
            super().close()
        finally:
            if link is not None:
                _release(link)


def _release(link: socket.socket) -> None:
    """Close a socket of which a file object of pg8000's may still hold a part: `close()` would wait for that one."""
    descriptor = link.detach()
    if descriptor != -1:
        socket.close(descriptor)


def _connect(credentials: Credentials) -> Any:
    # False, not None: with None pg8000 tries TLS and takes any certificate.
    ssl_context = False if credentials.is_loopback else _tls()
    try:
        link = _open_socket(credentials)
    except OSError as error:
        raise DatabaseUnavailableError(f"cannot reach {credentials}: {error}") from error
    try:
        connection = _Connection(
            user=credentials.username,
            password=credentials.password.get_secret_value(),
            host=credentials.host,
            port=credentials.port,
            database=credentials.dbname,
            application_name="nightshift",
            sock=link,
            ssl_context=ssl_context,
        )
    except (pg8000.Error, OSError) as error:
        _release(link)
        raise DatabaseUnavailableError(f"{credentials} refused: {_reason(error)}") from error
    # The limit was for connecting. A statement may take longer; its limits are the server's and the Lambda's deadline.
    connection._usock.settimeout(None)  # noqa: SLF001 (under TLS it is not the socket that we opened)
    return connection


def _open_socket(credentials: Credentials) -> socket.socket:
    # Opened here because pg8000 would apply its connect time-out to every later read as well.
    link = socket.create_connection((credentials.host, credentials.port), timeout=CONNECT_TIMEOUT_SECONDS)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in KEEPALIVE.items():
        with suppress(AttributeError):  # macOS lacks one of them
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return link


def _reason(error: Exception) -> str:
    details = error.args[0] if error.args else ""
    return str(details.get("M", "")) if isinstance(details, dict) else str(error)


@cache
def _tls() -> ssl.SSLContext:
    # Kept: reading the authorities takes 25 ms, more than the rest of a connection.
    bundle = environment(TlsSettings).database_ca_bundle
    return ssl.create_default_context(cafile=bundle or None)
