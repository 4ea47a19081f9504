"""The engine: what the author of a function needs.

A function is a `Task` (one handler) or a `Workflow` (steps in a state machine); both receive events from their inbox.
"""

from shared.engine.errors import Continue, NonRetryableError
from shared.engine.run import Run
from shared.engine.sending import emit, fan_out
from shared.engine.task import Task
from shared.engine.workflow import Workflow

__all__ = ["Continue", "NonRetryableError", "Run", "Task", "Workflow", "emit", "fan_out"]
