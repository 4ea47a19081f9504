"""A task whose role has the engine's rights and no other."""

from __future__ import annotations

from shared.engine import Run, Task

from .asking import AskedByBarred, ask

task = Task("desk-barred", trigger=AskedByBarred, attempts=1)


@task
def try_in_vain(event: AskedByBarred, run: Run) -> str:
    """Ask, and be told that the role may not."""
    return ask(event.what)


handler = task.handler
