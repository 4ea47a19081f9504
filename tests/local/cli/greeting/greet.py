"""Greet somebody by name."""

from typing import ClassVar

from shared.engine import NonRetryableError, Run, Task
from shared.events.event import Event


class Greeted(Event):
    event_name: ClassVar[str] = "demo/greeted"

    name: str


task = Task("demo-greet", trigger=Greeted)


@task
def greet(event: Greeted, run: Run) -> dict[str, str]:
    if event.name == "nobody":
        raise NonRetryableError("there is nobody to greet")
    return {"greeting": f"Olá {event.name}"}


handler = task.handler
