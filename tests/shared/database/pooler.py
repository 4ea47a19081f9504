"""PgBouncer in transaction mode on the loopback interface, where it is installed (Debian's package `pgbouncer`)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from local.postgres import _free_port, _unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.database import Credentials

START_LIMIT_SECONDS: Final = 20
PROGRAM: Final = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
CONFIGURATION: Final = """\
[databases]
* = host={host} port={target}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
"""


@contextmanager
def pooled(folder: Path, server: Credentials, *, size: int) -> Iterator[Credentials]:
    """Run PgBouncer before `server`, with at most `size` connections to it; yield where to connect instead."""
    assert PROGRAM is not None
    users, settings = folder / "users", folder / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password.get_secret_value()}"\n')
    port = _free_port()
    settings.write_text(CONFIGURATION.format(host=server.host, target=server.port, port=port, users=users, size=size))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*_unprivileged(), PROGRAM, str(settings)], stdout=log, stderr=log)
    try:
        _wait_for(port, process, folder / "log")
        yield server.model_copy(update={"port": port})
    finally:
        process.terminate()
        process.wait(START_LIMIT_SECONDS)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
