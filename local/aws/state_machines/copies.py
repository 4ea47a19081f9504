"""Copy a state's JSON values as JSON, not as just any objects."""

from __future__ import annotations

import copy
import datetime as dt
from types import SimpleNamespace
from typing import Any, Final

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.state.exec import execute_state
from moto.stepfunctions.parser.asl.component.state.exec.state_map import state_map
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel import state_parallel
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.eval import environment, states

_COPYING: Final = (
    environment,
    execute_state,
    result_path,
    state_map,
    state_parallel,
    state_task_service,
    states,
    string_expression,
)
_ATOMS: Final = frozenset({str, int, float, bool, type(None), dt.datetime})


def copy_json_as_json() -> None:
    """Copy what states hand on (input, result, context, the stack of values) by walking dictionaries and lists.

    moto 5.2.5: a step copies its input seven times and its result twice with `copy.deepcopy`, which looks at each
    value for its ways to be copied and remembers it: a third of a step's time.
    """
    plain = SimpleNamespace(deepcopy=copied)
    for module in _COPYING:
        module.copy = plain


def copied(value: Any) -> Any:
    """Return a copy that shares nothing which could change with `value`; what is no JSON is deep-copied."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if kind is dict:
        return {name: copied(member) for name, member in value.items()}
    if kind is list:
        return [copied(item) for item in value]
    return copy.deepcopy(value)
