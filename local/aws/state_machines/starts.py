"""Start executions under AWS's rules for their names and input, once each, from any number of callers."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
import threading
import uuid
from typing import Any

from moto.core.config import default_user_config
from moto.stepfunctions.exceptions import (
    ExecutionAlreadyExists,
    InvalidExecutionInput,
    InvalidName,
    ValidationException,
)
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local.aws.state_machines.limits import DATA_LIMIT_BYTES
from local.aws.state_machines.status_events import publish_status

LONGEST_NAME = 80

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_NOT_IN_A_NAME = re.compile(r"""[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff\U0010ffff]""")

_start_lock = threading.Lock()


def switch_on_the_executing_backend() -> None:
    """Run state machines instead of only storing them.

    moto 5.2.5: `stepfunctions.responses.get_backend` looks at `default_user_config` at each call; a server has no
    other switch for it than this.
    """
    default_user_config["stepfunctions"] = {"execute_state_machine": True}


def start_as_aws_does() -> None:
    """Check name and input, give a name, start once.

    moto 5.2.5: `StepFunctionsParserBackend.start_execution` takes any name (81 characters, a slash) and size, calls a
    nameless execution `None`, and checks for an earlier one without a lock, comparing with each of them in turn.
    """
    StepFunctionsParserBackend.start_execution = _start_execution


def _start_execution(
    self: Any,
    state_machine_arn: str,
    name: str | None = None,
    execution_input: str | None = None,
    trace_header: str | None = None,
) -> Any:
    given = "{}" if execution_input is None else execution_input
    name = str(uuid.uuid4()) if name is None else name
    _check(name, given)
    state_machine = self.describe_state_machine(state_machine_arn)
    with _start_lock:
        by_name = _executions_by_name(state_machine)
        if existing := by_name.get(name):
            return _same_or_refused(existing, given)
        execution = _new_execution(self, state_machine, name, given, trace_header)
        execution.start()  # RUNNING from here on, its thread not yet
        state_machine.executions.append(execution)
        by_name[name] = execution
    publish_status(execution)
    execution.exec_worker.start()
    return execution


def _check(name: str, given: str) -> None:
    if not 1 <= len(name) <= LONGEST_NAME:
        bound = "greater than or equal to 1" if not name else f"less than or equal to {LONGEST_NAME}"
        raise _constraint(f"Value '{name}' at 'name'", bound)
    if _NOT_IN_A_NAME.search(name):
        raise InvalidName(f"Invalid Name: '{name}'")
    if len(given.encode("utf-8", "surrogatepass")) > DATA_LIMIT_BYTES:
        raise _constraint("Value at 'input'", f"less than or equal to {DATA_LIMIT_BYTES}")
    try:
        json.loads(given)
    except ValueError as error:
        raise InvalidExecutionInput(f"Invalid State Machine Execution Input: '{error}'") from error


def _constraint(value: str, bound: str) -> Exception:
    refusal: Exception = ValidationException(
        f"1 validation error detected: {value} failed to satisfy constraint: Member must have length {bound}"
    )
    return refusal


def _same_or_refused(existing: Any, given: str) -> Any:
    if existing.status == "RUNNING" and existing.execution_input == given:
        return existing
    raise ExecutionAlreadyExists(f"Execution Already Exists: '{existing.exec_arn}'")


def _new_execution(backend: Any, state_machine: Any, name: str, given: str, trace_header: str | None) -> Any:
    # A later UpdateStateMachine replaces the machine's attributes, so a shallow copy keeps this moment's.
    snapshot = copy.copy(state_machine)
    snapshot.executions = []
    return Execution(
        name=name,
        sm_type=snapshot.sm_type,
        role_arn=snapshot.roleArn,
        exec_arn=f"arn:{backend.partition}:states:{backend.region_name}:{backend.account_id}:execution:"
        f"{state_machine.name}:{name}",
        account_id=backend.account_id,
        region_name=backend.region_name,
        state_machine=snapshot,
        start_date=dt.datetime.now(dt.UTC),
        cloud_watch_logging_session=None,
        input_data=given,
        trace_header=trace_header,
        activity_store={},
    )


def _executions_by_name(state_machine: Any) -> dict[str, Any]:
    names: dict[str, Any] = vars(state_machine).setdefault("executions_by_name", {})
    return names
