"""Remember what was decided until a policy changes: to decide anew takes some 100 microseconds, to remember one."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from moto.iam.models import IAMBackend
from moto.logs.models import LogsBackend
from moto.sqs.models import SQSBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

T = TypeVar("T")

LARGEST: Final = 20_000  # keys of objects are without number

# What changes policies, roles or whom they are attached to; a queue that is made again has another policy.
CHANGES: Final[Mapping[type[Any], tuple[str, ...]]] = {
    IAMBackend: (
        "attach_role_policy", "create_policy_version", "create_role", "delete_policy", "delete_policy_version",
        "delete_role", "delete_role_policy", "detach_role_policy", "put_role_policy", "set_default_policy_version",
        "update_assume_role_policy",
    ),
    LogsBackend: ("delete_resource_policy", "put_resource_policy"),
    SQSBackend: ("add_permission", "create_queue", "delete_queue", "remove_permission", "set_queue_attributes"),
}  # fmt: skip

# A dictionary that is replaced, never emptied: what is still decided by old policies is written where nobody looks.
_decided: list[dict[Hashable, Any]] = [{}]


def remembered(key: Hashable, decide: Callable[[], T]) -> T:
    """Return what was decided for `key` since the last change, else what `decide` answers."""
    decided = _decided[0]
    try:
        found: T = decided[key]
    except KeyError:
        found = decide()
        if len(decided) >= LARGEST:
            forget()
        decided[key] = found
    return found


def forget() -> None:
    """Decide everything anew from now on."""
    _decided[0] = {}


@cache
def install() -> None:
    """Forget after every change of a policy, from whichever side it comes."""
    for backend, names in CHANGES.items():
        for name in names:
            setattr(backend, name, _forgetting(getattr(backend, name)))


def _forgetting(change: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(change)
    def forgetting(*arguments: Any, **named: Any) -> Any:
        try:
            return change(*arguments, **named)
        finally:
            forget()

    return forgetting
