# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Keep an execution's history as AWS keeps it: nothing behind its end, and at most 25,000 events."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, Final

from moto.stepfunctions.parser.api import ExecutionFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

# https://docs.aws.amazon.com/step-functions/latest/dg/bp-history-limit.html
HISTORY_LIMIT: Final = 25_000
LIMIT_CAUSE: Final = "The execution reached the maximum number of history events (25000)."
_ENDS: Final = frozenset(
    {
        HistoryEventType.ExecutionSucceeded,
        HistoryEventType.ExecutionFailed,
        HistoryEventType.ExecutionTimedOut,
        HistoryEventType.ExecutionAborted,
    }
)


def let_no_event_follow_the_end() -> None:
    """Write nothing more to a history once the execution's end stands in it.

    moto 5.2.5: `EventManager.add_event` takes what the iterations and branches of an ended execution still write, so a
    MapIterationFailed or a TaskFailed comes after ExecutionFailed.
    """
    EventManager.add_event = _add_before_the_end(EventManager.add_event)


def fail_at_the_history_limit() -> None:
    """Fail an execution whose 25,000th event would not be its end.

    moto 5.2.5: `EventManager.add_event` knows no limit, so a loop that AWS ends goes on for ever.
    """
    EventManager.add_event = _add_within_the_limit(EventManager.add_event)


def belongs_to(events: Any, env: Environment) -> None:
    """Say which execution fails when `events` are too many: the frames inside it write to the same ones."""
    events.execution = env


def written(events: Any) -> list[dict[str, Any]]:
    """Return the events, not copies of them: what is written does not change."""
    with events._mutex:
        return list(events._history_event_list)


def continued(events: Any, env: Environment) -> Any:
    """Return a history that goes on behind the end of `events`; who still holds those writes nothing more."""
    following: Any = EventManager()
    following._history_event_list.extend(written(events))
    following._event_id_gen._next_id = len(following._history_event_list) + 1
    belongs_to(following, env)
    return following


def _add_before_the_end(add_event: Any) -> Any:
    @functools.wraps(add_event)
    def add_before_the_end(self: Any, context: Any, event_type: HistoryEventType, **more: Any) -> int:
        with _writing(self):
            last = self._history_event_list[-1]["type"] if self._history_event_list else None
            if last in _ENDS and event_type != HistoryEventType.ExecutionRedriven:
                return 0
            return int(add_event(self, context=context, event_type=event_type, **more))

    return add_before_the_end


def _add_within_the_limit(add_event: Any) -> Any:
    @functools.wraps(add_event)
    def add_within_the_limit(self: Any, context: Any, event_type: HistoryEventType, **more: Any) -> int:
        with _writing(self):
            if len(self._history_event_list) < HISTORY_LIMIT - 1 or event_type in _ENDS:
                return int(add_event(self, context=context, event_type=event_type, **more))
        self.execution.set_error(ExecutionFailedEventDetails(error="States.Runtime", cause=LIMIT_CAUSE))
        return 0

    return add_within_the_limit


def _writing(events: Any) -> Any:
    """Return the lock under which an event is judged and written."""
    return vars(events).setdefault("writing", threading.RLock())
