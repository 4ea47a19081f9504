"""What RDS does at the door when a user logs in with IAM: it asks for a token in the clear, within TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.shared.database.tls_front import TlsFront

if TYPE_CHECKING:
    import socket
    from pathlib import Path

# https://www.postgresql.org/docs/current/protocol-message-formats.html
CLEARTEXT_PASSWORD = b"R" + (8).to_bytes(4, "big") + (3).to_bytes(4, "big")
# RDS's words
REFUSAL = {b"S": b"FATAL", b"V": b"FATAL", b"C": b"28000", b"M": b"PAM authentication failed for user"}


@dataclass
class Attempt:
    """One login: the user and what was given as the password."""

    user: str
    token: str


class RdsFront(TlsFront):
    """Takes every token, or none, and lets those in whose user the server behind it trusts."""

    def __init__(self, folder: Path, name: str, target: tuple[str, int]) -> None:
        super().__init__(folder, name, target)
        self.attempts: list[Attempt] = []
        self.accepts = True

    def _admit(self, client: socket.socket, server: socket.socket) -> bool:
        size = _read(client, 4)
        startup = _read(client, int.from_bytes(size, "big") - 4)
        words = startup[4:].split(b"\0")
        user = words[words.index(b"user") + 1].decode()
        client.sendall(CLEARTEXT_PASSWORD)
        kind, length = _read(client, 1), int.from_bytes(_read(client, 4), "big") - 4
        assert kind == b"p"
        self.attempts.append(Attempt(user, _read(client, length).rstrip(b"\0").decode()))
        if self.accepts:
            server.sendall(size + startup)
        else:
            fields = b"".join(name + text + b"\0" for name, text in REFUSAL.items()) + b"\0"
            client.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
        return self.accepts


def _read(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        more = source.recv(length - len(data))
        assert more, "the client went away"
        data += more
    return data
