"""The engine: what the author of a function needs.

A function is a `Task` (one handler) or a `Workflow` (steps in a state machine); both receive events from their inbox.
What is named here is imported when it is first used: a task's cold start does not pay for what only workflows need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

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

_HOMES: Final = {
    "effects": ("EffectUnknownError", "once"),
    "errors": ("Continue", "NonRetryableError", "RetryAfter"),
    "failure": ("Failure",),
    "policies": ("RateLimit", "Throttle", "Timeouts"),
    "run": ("Run",),
    "sending": ("emit", "fan_out"),
    "task": ("Task",),
    "workflow": ("Workflow",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # https://peps.python.org/pep-0562/
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return found
