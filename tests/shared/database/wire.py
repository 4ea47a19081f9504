"""A loopback proxy in front of PostgreSQL that writes down what clients say, and what a pooler would mind of it.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

LIMIT_SECONDS: Final = 10
ENDS_ROUND: Final = (b"Q", b"S")  # a simple query and Sync: the server answers each with one ReadyForQuery
IDLE: Final = b"I"
# What lives in the server's session and not in a transaction.
OF_THE_SESSION: Final = re.compile(
    r"^\s*(SET\b(?!\s+(LOCAL|TRANSACTION|CONSTRAINTS)\b)|RESET\b|DISCARD\b|LISTEN\b|UNLISTEN\b|LOAD\b"
    r"|PREPARE\b|EXECUTE\b|DEALLOCATE\b|DECLARE\b|CREATE\s+(LOCAL\s+|GLOBAL\s+)?TEMP(ORARY)?\b)"
    r"|\bpg_(try_)?advisory_|\b(nextval|setval|currval|lastval)\s*\(|\bON\s+COMMIT\b|\bINTO\s+TEMP(ORARY)?\b",
    re.IGNORECASE,
)
SET_CONFIG: Final = re.compile(r"set_config\s*\([^()]*\)", re.IGNORECASE)
TO_ITS_END: Final = re.compile(r",\s*true\s*\)$", re.IGNORECASE)
# PgBouncer refuses a client that asks for others: https://www.pgbouncer.org/config.html#ignore_startup_parameters
STARTUP_PARAMETERS: Final = {"user", "database", "application_name"}


@dataclass
class Session:
    """One connection: what its client asked for at the start, and each message after the login."""

    startup: dict[str, str] = field(default_factory=dict)
    messages: list[tuple[bytes, bytes]] = field(default_factory=list)
    statuses: list[bytes] = field(default_factory=list)
    closed: bool = False

    @property
    def rounds(self) -> list[tuple[list[tuple[bytes, bytes]], bytes]]:
        """What was sent up to each point where the server is ready again, with the state in which it then is."""
        rounds: list[list[tuple[bytes, bytes]]] = [[]]
        for message in self.messages:
            rounds[-1].append(message)
            if message[0] in ENDS_ROUND:
                rounds.append([])
        # the first time it is ready is after the login
        return list(zip(rounds[:-1], self.statuses[1:], strict=False))

    @property
    def stints(self) -> list[list[tuple[bytes, bytes]]]:
        """What a pooler in transaction mode keeps on one server; the next stint may meet another."""
        stints: list[list[tuple[bytes, bytes]]] = [[]]
        for sent, status in self.rounds:
            stints[-1] += sent
            if status == IDLE:
                stints.append([])
        return [stint for stint in stints if stint]

    @property
    def statements(self) -> list[str]:
        """The SQL of every message that has some."""
        return [sql for kind, body in self.messages if (sql := sql_of(kind, body)) is not None]

    @property
    def complaints(self) -> list[str]:
        """What would go wrong, or tie the client to its server, behind a pooler in transaction mode."""
        found = [f"asks for {name} at the start" for name in self.startup.keys() - STARTUP_PARAMETERS]
        for stint in self.stints:
            found += _complaints_of(stint)
        found += [f"keeps state: {sql}" for sql in self.statements if keeps_state(sql)]
        if [kind for kind, _ in self.messages][-1:] != [b"X"]:
            found.append("does not say goodbye")
        if self.statuses[-1:] != [IDLE]:
            found.append("leaves a transaction open")
        return found


def _complaints_of(stint: list[tuple[bytes, bytes]]) -> list[str]:
    found = [f"sends {kind!r}" for kind, _ in stint if kind not in b"QPBDESHX"]
    statements = [sql for kind, body in stint if (sql := sql_of(kind, body)) is not None]
    if statements[:1] != ["begin transaction"]:
        found.append(f"begins with {statements[:1]}")
    if statements[-1:] not in (["commit"], ["rollback"]):
        found.append(f"ends with {statements[-1:]}")
    parsed = False
    for kind, body in stint:
        if name := statement_name(kind, body):
            found.append(f"names a prepared statement {name}")
        parsed = parsed or kind == b"P"
        if kind in b"BD" and not parsed:
            found.append("uses a statement that it did not parse in this transaction")
    return found


def sql_of(kind: bytes, body: bytes) -> str | None:
    if kind == b"Q":
        return body.rstrip(b"\0").decode()
    return body.split(b"\0")[1].decode() if kind == b"P" else None


def statement_name(kind: bytes, body: bytes) -> str:
    if kind == b"P":
        return body.split(b"\0")[0].decode()
    if kind == b"B":
        return body.split(b"\0")[1].decode()
    return body[1:].rstrip(b"\0").decode() if kind in b"DC" else ""


def keeps_state(sql: str) -> bool:
    return bool(OF_THE_SESSION.search(sql)) or any(not TO_ITS_END.search(each) for each in SET_CONFIG.findall(sql))


class Wire:
    """Passes connections on to `target` in the clear and keeps what their clients said."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._changed = Condition()
        self._sessions: list[Session] = []
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def open(self) -> int:
        """How many connections are open now; one whose client has closed it is not, a moment later."""
        with self._changed:
            return sum(not session.closed for session in self._sessions)

    def sessions(self) -> list[Session]:
        """Return every connection so far, when all of them are closed."""
        with self._changed:
            everything_closed = self._changed.wait_for(
                lambda: all(session.closed for session in self._sessions), LIMIT_SECONDS
            )
            assert everything_closed, "a connection outlives its unit of work"
            return list(self._sessions)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            session = Session()
            with self._changed:
                self._sessions.append(session)
            Thread(target=self._serve, args=(client, session), daemon=True).start()

    def _serve(self, client: socket.socket, session: Session) -> None:
        with client, socket.create_connection(self._target) as server:
            back = Thread(target=_pass_on, args=(server, client, _answers(session)), daemon=True)
            back.start()
            _pass_on(client, server, _requests(session))
            back.join(LIMIT_SECONDS)
        with self._changed:
            session.closed = True
            self._changed.notify_all()


def _pass_on(source: socket.socket, target: socket.socket, note: Callable[[bytes], None]) -> None:
    try:
        while data := source.recv(65536):
            note(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _requests(session: Session) -> Callable[[bytes], None]:
    buffer = bytearray()

    def note(data: bytes) -> None:
        buffer.extend(data)
        if not session.startup and len(buffer) >= 4:
            length = int.from_bytes(buffer[:4], "big")
            if len(buffer) < length:
                return
            words = bytes(buffer[8:length]).split(b"\0")
            session.startup.update((k.decode(), v.decode()) for k, v in zip(words[::2], words[1::2], strict=False) if k)
            del buffer[:length]
        session.messages += [each for each in _messages(buffer) if each[0] != b"p"]  # p: the login's own

    return note


def _answers(session: Session) -> Callable[[bytes], None]:
    buffer = bytearray()

    def note(data: bytes) -> None:
        buffer.extend(data)
        session.statuses += [body for kind, body in _messages(buffer) if kind == b"Z"]

    return note


def _messages(buffer: bytearray) -> list[tuple[bytes, bytes]]:
    """Take the complete messages out of `buffer`."""
    found = []
    while len(buffer) >= 5 and len(buffer) >= 1 + (length := int.from_bytes(buffer[1:5], "big")):
        found.append((bytes(buffer[:1]), bytes(buffer[5 : 1 + length])))
        del buffer[: 1 + length]
    return found
