"""`nightshift dev` and `nightshift stop`: the local stack in the foreground or detached."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local.cli.errors import CommandError
from local.cli.target import DATA_DIR, DataDirOption
from local.data_dir import running_pid

if TYPE_CHECKING:
    from collections.abc import Callable

START_LIMIT_SECONDS: Final = 90.0  # a first start makes a database
STOP_LIMIT_SECONDS: Final = 30.0


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("dev")(dev)
    app.command("stop")(stop)


def dev(
    port: Annotated[int, typer.Option(help="The stack's port on 127.0.0.1; 0 takes a free one.")] = 8288,
    data_dir: DataDirOption = DATA_DIR,
    workers: Annotated[int, typer.Option(min=1, help="At most so many processes per function.")] = 4,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready; it goes on.")] = False,
    template: Annotated[Path | None, typer.Option(help="Another SAM template; code is found beside it.")] = None,
    time_scale: Annotated[
        float, typer.Option(min=0.001, max=1, help="Shorten visibility timeouts, back-offs and deadlines; for tests.")
    ] = 1.0,
) -> None:
    """Run the stack of template.yaml on this machine.

    Example: nightshift dev --port 8288 --detach
    """
    if detach:
        _detach(data_dir)
        return
    from local.stack import ROOT, LocalStack, Options  # noqa: PLC0415 (a second of imports)

    options = Options(
        template=template or ROOT / "template.yaml",
        data_dir=data_dir,
        port=port,
        workers=workers,
        time_scale=time_scale,
        database_url=os.environ.get("DATABASE_URL"),
    )
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with LocalStack.start(options) as stack:
        print(f"Nightshift is ready in {stack.started_in:.1f} s: {stack.front.url}")
        print(f"  AWS         {stack.aws.endpoint_url}")
        print(f"  for apps    {data_dir / 'env'}")
        print(f"  logs        {data_dir / 'logs'}", flush=True)
        while not ended.wait(1.0):  # in slices: a signal is seen between them on every platform
            pass
        print("Nightshift stops.", flush=True)


def stop(data_dir: DataDirOption = DATA_DIR) -> None:
    """Stop the local stack.

    Example: nightshift stop
    """
    pid = running_pid(data_dir)
    if pid is None:
        raise CommandError(f"no local stack runs on {data_dir}")
    os.kill(pid, signal.SIGTERM)
    if not _wait(lambda: running_pid(data_dir) is None, STOP_LIMIT_SECONDS):
        raise CommandError(f"the local stack (process {pid}) did not stop within {STOP_LIMIT_SECONDS:.0f} s")
    print("stopped")


def _detach(data_dir: Path) -> None:
    """Start the same command again as a process of its own and wait until it is ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    log = data_dir / "stack.log"
    with log.open("w") as output:
        child = subprocess.Popen(  # noqa: S603 (our own command line)
            [sys.executable, "-m", "local.cli", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )
    _wait(lambda: child.poll() is not None or "is ready" in log.read_text(), START_LIMIT_SECONDS)
    said = log.read_text().strip()
    if child.poll() is not None or "is ready" not in said:
        last = said.splitlines()[-1] if said else "it said nothing"
        raise CommandError(f"the stack did not start: {last.removeprefix('nightshift: ')}")
    print(said)


def _wait(over: Callable[[], bool], limit: float) -> bool:
    end = time.monotonic() + limit
    while not (done := over()) and time.monotonic() < end:
        time.sleep(0.05)
    return done
