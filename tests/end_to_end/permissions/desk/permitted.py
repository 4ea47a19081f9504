"""A task whose role may do all that it asks for."""

from __future__ import annotations

from shared.engine import Run, Task

from .asking import AskedByPermitted, ask

task = Task("desk-permitted", trigger=AskedByPermitted, attempts=1)


@task
def succeed(event: AskedByPermitted, run: Run) -> str:
    """Ask, and be served."""
    return ask(event.what)


handler = task.handler
