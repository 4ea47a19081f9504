# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Wait until the very moment that a Wait state names, not earlier and not in another time zone."""

from __future__ import annotations

import datetime as dt
import re
import time
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

# RFC 3339 as the States Language wants it: an upper-case T, and Z or an offset.
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})")


def never_wake_early() -> None:
    """Wait for every fraction of a second, by UTC, and leave at once when the execution ends.

    moto 5.2.5: `Timestamp._get_wait_seconds` drops fractions twice and compares with the *local* time, so a Wait
    of 2.9 s takes 2.0 s and one of 0.9 s none; it refuses offsets other than Z; `WaitFunction._wait_interval`
    counts whole seconds waited, so that a fraction is waited for twice.
    """
    Timestamp._from_timestamp_string = staticmethod(moment_of)
    Timestamp._get_wait_seconds = _seconds_until
    WaitFunction._wait_interval = _wait_interval


def moment_of(text: Any) -> dt.datetime | None:
    """Return the moment that an RFC 3339 timestamp says, or None if it is none."""
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        return None
    # Python keeps six digits of a second: the rest is rounded up, so that the Wait is never early.
    seconds, dot, rest = text.partition(".")
    nanoseconds = int(re.match(r"\d+", rest)[0].ljust(9, "0")) if dot else 0  # type: ignore[index] # the pattern has them
    zone = text[-1] if text.endswith("Z") else text[-6:]
    whole = seconds if dot else text.removesuffix(zone)
    try:
        moment = dt.datetime.fromisoformat(whole + zone)
    except ValueError:
        return None
    return moment + dt.timedelta(microseconds=-(-nanoseconds // 1000))


def _seconds_until(self: Any, env: Environment) -> float:
    self.string.eval(env=env)
    text = env.stack.pop()
    moment = moment_of(text)
    if moment is None:
        raise FailureEventException(self._create_failure_event(env, text))
    return (moment - dt.datetime.now(dt.UTC)).total_seconds()


def _wait_interval(_wait: Any, env: Environment, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while env.is_running() and (left := deadline - time.monotonic()) > 0:
        env.program_state_event.wait(left)
