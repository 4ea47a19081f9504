"""A workflow whose workers are killed."""

from __future__ import annotations

from shared.engine import Failure, Run, Workflow, once

from .diary import do, keep, keeping, write, writing
from .events import FlowRequested
from .kill_points import watched
from .work import LIMIT

workflow = Workflow("sabotage-flow", trigger=FlowRequested)


@workflow.step
def prepare(event: FlowRequested) -> int:
    """Return what the next step needs; it has no effect, so that repeating it is safe."""
    return len(event.ballast)


@workflow.step(once="repeat", limit=LIMIT)
def act(event: FlowRequested, ballast: int, run: Run) -> int:
    """Do what the attempt is to do, then the effect; its author declares that repeating it is harmless."""
    do(event.deeds, run)
    write(run, "effect")
    return ballast


@workflow.on_failure
def tell(event: FlowRequested, failure: Failure) -> None:
    """Write down that the run failed."""
    once(failure.run, "told", writing(failure.run, "told"), policy="repeat", limit=LIMIT)
    keep()


handler = watched(keeping(workflow.handler))
