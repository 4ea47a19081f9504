# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Assign workflow variables when their state is left, all at once, within AWS's size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.stepfunctions.parser.asl.component.common.assign.assign_decl import AssignDecl
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

from local.aws.state_machines.limits import data_limit_failure, is_within_data_limit

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

_PENDING = "assigned on leaving the state"


def assign_on_leaving_the_state() -> None:
    """Let a state's Output read the variables as they were when it was entered; limit their size.

    moto 5.2.5: `AssignDecl` writes the variables before the state's Output is evaluated, and takes any size.
    On AWS every expression of a state reads the values on entry, and one Assign takes 256 KiB
    (https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html).
    """
    leave = CommonStateField._get_state_exited_event_details

    def assign_then_leave(self: Any, env: Environment) -> Any:
        for name, value in env.heap.pop(_PENDING, {}).items():
            env.variable_store.set(variable_identifier=name, variable_value=value)
        return leave(self, env=env)

    AssignDecl._eval_body = _evaluate_assign
    CommonStateField._get_state_exited_event_details = assign_then_leave


def quote_assigned_strings() -> None:
    """Write the history's assignedVariables as JSON.

    moto 5.2.5: `VariableStore.get_assigned_variables` puts quotes around a string without escaping what is in it.
    """
    VariableStore.get_assigned_variables = _assigned_variables


def _evaluate_assign(self: Any, env: Environment) -> None:
    values: dict[str, Any] = {}
    for binding in self.declaration_bindings:
        binding.eval(env=env)
        values.update(env.stack.pop())
    if not is_within_data_limit(values):
        raise data_limit_failure(env, "The variables that the state assigns exceed the maximum number of bytes.")
    env.heap[_PENDING] = values


def _assigned_variables(self: Any) -> dict[str, str]:
    return {name: json.dumps(self.get(name), separators=(",", ":")) for name in self._declaration_tracing}
