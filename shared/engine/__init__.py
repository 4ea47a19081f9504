"""The engine: what the author of a function needs.

A function is a `Task` (one handler) or a `Workflow` (steps in a state machine); both receive events from their inbox.
What is named here is imported when it is first used: a task's cold start does not pay for what only workflows need.
"""

from typing import TYPE_CHECKING

from shared.late_imports import names_of

if TYPE_CHECKING:
    from shared.engine.effects import EffectUnknownError, once
    from shared.engine.errors import Continue, NonRetryableError, RetryAfter
    from shared.engine.failure import Failure
    from shared.engine.policies import RateLimit, Throttle, Timeouts
    from shared.engine.run import Run
    from shared.engine.sending import emit, fan_out
    from shared.engine.task import Task
    from shared.engine.workflow import Workflow

__all__ = [
    "Continue",
    "EffectUnknownError",
    "Failure",
    "NonRetryableError",
    "RateLimit",
    "RetryAfter",
    "Run",
    "Task",
    "Throttle",
    "Timeouts",
    "Workflow",
    "emit",
    "fan_out",
    "once",
]

__getattr__ = names_of(
    __name__,
    {
        "effects": ("EffectUnknownError", "once"),
        "errors": ("Continue", "NonRetryableError", "RetryAfter"),
        "failure": ("Failure",),
        "policies": ("RateLimit", "Throttle", "Timeouts"),
        "run": ("Run",),
        "sending": ("emit", "fan_out"),
        "task": ("Task",),
        "workflow": ("Workflow",),
    },
)
