"""What the state machines are connected to: Lambda, the event bus, the local clock's scale."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from local.aws.invocation import Invoker
    from local.aws.time_scale import TimeScale


class Publisher(Protocol):
    """Puts an event of an AWS service on the account's default bus."""

    def __call__(self, source: str, detail_type: str, resources: list[str], detail: dict[str, Any], /) -> None:
        """Deliver the event to the bus; what rules do with it is the bus's."""
        ...


class InvokeCheck(Protocol):
    """Decides whether a state machine may call a function."""

    def __call__(self, role_arn: str, function_name: str, /) -> None:
        """Raise AccessDeniedError, in AWS's words, when the machine's role may not call the function (name or ARN)."""
        ...


@dataclass(frozen=True)
class Wiring:
    """One stack's connections."""

    invoke: Invoker
    publish: Publisher
    time_scale: TimeScale
    check_invoke: InvokeCheck


_lock = threading.Lock()
_wiring: list[Wiring] = []
_patched = threading.Event()


def connect(wiring: Wiring) -> None:
    """Make `wiring` the one that every execution uses from now on."""
    with _lock:
        _wiring[:] = [wiring]


def wired() -> Wiring:
    """Return the current connections; an error before `install`."""
    try:
        return _wiring[0]
    except IndexError:
        raise RuntimeError("state machines run only after install()") from None


def first_time() -> bool:
    """Say once, and only once in a process, that moto is not patched yet."""
    with _lock:
        if _patched.is_set():
            return False
        _patched.set()
        return True
