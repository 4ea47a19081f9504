"""What an author may ask about when a function's runs start: frozen values, checked where they are made."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from shared.engine.durations import Duration, duration, milliseconds_of

if TYPE_CHECKING:
    from datetime import timedelta

NANOSECONDS: Final = 1_000_000  # in a millisecond
# Characters, all ASCII, of a key's value; longer ones are hashed. DynamoDB takes keys of at most 2,048 bytes.
VALUE_LIMIT: Final = 512
_PATH: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """GCRA's two parameters: one start each `interval_ns` in the long run, `capacity` at once after an idle time."""

    interval_ns: int
    capacity: int


@dataclass(frozen=True, init=False)
class _Limit:
    """So many starts of the function in a period, for each value of a field of its event."""

    limit: int
    period: timedelta
    key: str | None

    def __init__(self, limit: int, period: Duration, key: str | None = None) -> None:
        set_ = object.__setattr__  # the way past `frozen`, as dataclasses themselves take it
        set_(self, "limit", _whole("limit", limit, least=1))
        set_(self, "period", duration(period))
        set_(self, "key", _path(key))

    def item_key(self, function: str, event: BaseModel) -> str:
        """Return the key under which the starts are counted that `event` competes with: at most 1,000 bytes."""
        counted = f"{type(self).__name__.lower()}#{function}"
        return counted if self.key is None else f"{counted}#{self.key}={self.key_of(event)}"

    def key_of(self, event: BaseModel) -> str:
        """Return the text of the key's value in `event`: its JSON, or a hash where that is long.

        It differs between any two values, also between `None` and `"null"`; a part of a dotted key that is None makes
        the whole None. Without a key, all events have the same.
        """
        return "" if self.key is None else _text(_value(event, self.key))

    def _rate(self, capacity: int) -> Rate:
        # Rounded up to a nanosecond: never more starts than asked for, and at most one in a million fewer at 999/s.
        return Rate(-(-milliseconds_of(self.period) * NANOSECONDS // self.limit), capacity)


@dataclass(frozen=True, init=False)
class Throttle(_Limit):
    """Starts that come too fast wait: each run beyond the limit gets a slot, in the order of admission.

    It is the generic cell rate algorithm (GCRA, ITU-T I.371) with an interval of period / limit and a capacity of
    limit + burst: in any time w start at most w · limit / period + limit + burst runs. So `Throttle(10, "1m")` may
    start 20 in one minute after an idle one.

    Args:
        limit: starts in a period.
        period: `"1m"` or a timedelta.
        key: a field of the function's event, dotted for a field of a field; each value has a limit of its own.
        burst: starts at once beyond the limit.

    Raises:
        ValueError: limit under 1, burst under 0, a period that is none, a key that is no field's name.
    """

    burst: int

    def __init__(self, limit: int, period: Duration, key: str | None = None, burst: int = 0) -> None:
        super().__init__(limit, period, key)
        object.__setattr__(self, "burst", _whole("burst", burst, least=0))

    @property
    def rate(self) -> Rate:
        """What GCRA counts with."""
        return self._rate(self.limit + self.burst)


@dataclass(frozen=True, init=False)
class RateLimit(_Limit):
    """Starts that come too fast are left out: a run beyond the limit is skipped, and the ledger says so.

    The same algorithm as `Throttle`'s with a capacity of limit and no waiting; arguments and errors are its, too.
    """

    @property
    def rate(self) -> Rate:
        """What GCRA counts with."""
        return self._rate(self.limit)


@dataclass(frozen=True, init=False)
class Timeouts:
    """How long a run may wait for its start, from its acceptance, and work to its finish, from its start.

    A run that cannot start in time takes no slot; either way it is cancelled.

    Raises:
        ValueError: neither is given, or one is no duration.
    """

    start: timedelta | None
    finish: timedelta | None

    def __init__(self, start: Duration | None = None, finish: Duration | None = None) -> None:
        if start is None and finish is None:
            raise ValueError("Timeouts takes start, finish or both")
        object.__setattr__(self, "start", None if start is None else duration(start))
        object.__setattr__(self, "finish", None if finish is None else duration(finish))


def check_key(key: str | None, event: type[BaseModel]) -> None:
    """Raise ValueError, saying what there is instead, if a policy's key is not a field of `event`."""
    models = [event]
    for name in [] if key is None else key.split("."):
        if not models:
            raise ValueError(f"key {key!r}: {event.__name__} has nothing with a field {name!r} there")
        for model in models:
            if name not in model.model_fields:
                raise ValueError(f"key {key!r}: {model.__name__} has no field {name!r}; {_fields(model)}")
        models = [found for model in models for found in _models(model.model_fields[name].annotation)]


def _fields(model: type[BaseModel]) -> str:
    return f"it has {', '.join(sorted(model.model_fields))}" if model.model_fields else "it has none"


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a field of this type may hold itself, as in `Client | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Union, UnionType, Annotated}:  # a list or a dict of models has no such field
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _whole(name: str, value: int, *, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is a whole number of at least {least}, not {value!r}")
    return value


def _path(key: str | None) -> str | None:
    if key is not None and not (isinstance(key, str) and _PATH.fullmatch(key) and len(key) <= 200):
        raise ValueError(f"key is a field's name such as 'user_id' or 'client.id', not {key!r}")
    return key


def _value(event: BaseModel, key: str) -> Any:
    value: Any = event
    for name in key.split("."):
        if value is None:
            return None
        value = getattr(value, name)
    return value


def _text(value: Any) -> str:
    text = json.dumps(to_jsonable_python(value), sort_keys=True, separators=(",", ":"))
    # JSON never begins like a hash, so a hash is never another value's text
    return text if len(text) <= VALUE_LIMIT else f"sha256:{sha256(text.encode()).hexdigest()}"
