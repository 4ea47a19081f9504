"""A workflow whose step is told when to come again."""

from __future__ import annotations

from shared.engine import RetryAfter, Run, Workflow

from .deeds import write
from .events import WaitRequested

workflow = Workflow("stage-wait", trigger=WaitRequested)


@workflow.step(retry_after=True)
def ask_prompter(event: WaitRequested, waits: int, run: Run) -> str:
    """Return the forgotten line once the prompter was waited for `waits` times, as often as the event says."""
    write(event.diary, event_id=run.event_id, what="asked", waits=waits)
    if waits < len(event.seconds):
        raise RetryAfter(event.seconds[waits])
    return "that is the question"


handler = workflow.handler
