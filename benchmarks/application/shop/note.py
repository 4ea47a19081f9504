"""A task that says that it is done."""

from __future__ import annotations

from pydantic import BaseModel

from shared.engine import Run, Task

from .events import OrderNoted
from .tell import tell


class Noted(BaseModel):
    """What the task answers."""

    order_id: str


task = Task("shop-note", trigger=OrderNoted)


@task
def note(event: OrderNoted, _run: Run) -> Noted:
    """Say so."""
    tell(event.tell, event.order_id)
    return Noted(order_id=event.order_id)


handler = task.handler
