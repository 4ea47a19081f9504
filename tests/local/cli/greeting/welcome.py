"""Welcome everybody, at the second try."""

from shared.engine import Run, Workflow
from shared.events.schedule import ScheduleFired

workflow = Workflow("demo-welcome", trigger=ScheduleFired)


@workflow.step
def say_welcome(times: int, run: Run) -> list[str]:
    if run.attempt == 1:
        raise ConnectionError("nobody listens")
    return ["welcome"] * times


handler = workflow.handler
