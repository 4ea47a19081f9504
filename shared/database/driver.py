"""Open one connection to PostgreSQL: the socket, TLS, the login.

To be imported where the first connection is made: pg8000 costs a tenth of a cold start.
"""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import pg8000
from pydantic import BaseModel, ConfigDict

from shared.database.errors import DatabaseUnavailableError, LoginRefusedError, code_in
from shared.settings import environment

if TYPE_CHECKING:
    from shared.database.credentials import Credentials

CONNECT_TIMEOUT_SECONDS = 5
# A peer that vanished without a word is noticed after about a minute instead of the two hours of the system's default.
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
# The server does not take this user with this password; a role without the right to log in is the second.
REFUSED = frozenset({"28P01", "28000"})


class TlsSettings(BaseModel):
    """Whom to trust about a database on the network."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    # A file of certificates. An RDS instance's is signed by Amazon's own RDS authority, which no system trusts by
    # itself; a proxy's is public. Empty: the system's authorities.
    database_ca_bundle: str = ""


class _Connection(pg8000.Connection):  # type: ignore[misc] # pg8000 ships no types
    """A connection that gives its socket back also when the server went away, and that ends transactions in one go.

    pg8000 1.31: `close()` leaves the socket to the garbage collector when its last message cannot be sent. `commit()`
    and `rollback()` take three round trips, parse, describe and execute; without a transaction (nothing was executed)
    a pooler may send each to another server, where there is no such statement.
    """

    def commit(self) -> None:
        """End the transaction, if there is one."""
        if self._in_transaction:
            self.execute_simple("commit")

    def rollback(self) -> None:
        """Undo the transaction, if there is one."""
        if self._in_transaction:
            self.execute_simple("rollback")

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


def connect(credentials: Credentials) -> Any:
    """Return an open connection of pg8000's.

    Raises:
        LoginRefusedError: the server does not take this login.
        DatabaseUnavailableError: there is no such server, or it does not want us now.
    """
    # False, not None: with None pg8000 tries TLS and takes any certificate.
    ssl_context = _tls() if credentials.needs_tls else False
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
        kind = LoginRefusedError if code_in(error) in REFUSED else DatabaseUnavailableError
        raise kind(f"{credentials} refused: {_reason(error)}") from error
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
