"""Step Functions in this process: moto's executing backend, made true to AWS where it departs from it."""

from __future__ import annotations

# moto's parser must be loaded by this module before any other imports a part of it.
from local.aws.state_machines import lean_import as lean_import

# isort: split
from typing import TYPE_CHECKING

from local.aws.state_machines import (
    attempts,
    copies,
    error_names,
    expression_states,
    histories,
    lambda_tasks,
    limits,
    programs,
    redrives,
    requests,
    runs,
    starts,
    variables,
    waits,
    wiring,
)
from local.aws.state_machines.lambda_tasks import LambdaRefusedError

if TYPE_CHECKING:
    from local.aws.invocation import Invoker
    from local.aws.state_machines.wiring import InvokeCheck, Publisher
    from local.aws.time_scale import TimeScale

__all__ = ["SHIMS", "LambdaRefusedError", "install"]

SHIMS = (
    starts.switch_on_the_executing_backend,
    starts.start_as_aws_does,
    programs.parse_each_definition_once,
    programs.read_strings_as_json,
    programs.keep_failed_steps_out_of_the_log,
    programs.count_attempts_by_component,
    copies.copy_json_as_json,
    expression_states.bind_values_to_expressions,
    expression_states.take_whole_numbers_only,
    variables.assign_on_leaving_the_state,
    variables.quote_assigned_strings,
    lambda_tasks.call_functions_directly,
    lambda_tasks.name_errors_as_lambda_does,
    waits.never_wake_early,
    runs.keep_the_end_signal_set,
    runs.let_the_first_end_win,
    runs.prepare_before_the_thread_starts,
    runs.time_out_with_an_event,
    runs.reflect_the_end_whole,
    attempts.give_up_attempts_on_an_end,
    attempts.wait_between_attempts_interruptibly,
    error_names.keep_states_errors_of_branches,
    error_names.name_what_stops_a_choice,
    histories.let_no_event_follow_the_end,
    histories.fail_at_the_history_limit,
    limits.measure_json_in_bytes,
    limits.let_nothing_catch_terminal_errors,
    limits.refuse_large_arguments,
    requests.answer_as_aws_does,
    redrives.remember_where_an_execution_is,
    redrives.redrive_as_aws_does,
)


def install(
    *, invoke: Invoker, publish: Publisher, time_scale: TimeScale, check_invoke: InvokeCheck = lambda *_: None
) -> None:
    """Make moto's Step Functions execute state machines as AWS does, in server mode too.

    `invoke` runs a function and `publish` takes every change of an execution's status:
    `publish(source, detail_type, resources, detail)`; `check_invoke` says whether a machine's role may call a function,
    and lets every role without it. A second call replaces what the first one
    gave; executions that run already use the new ones from their next step on.
    """
    wiring.connect(wiring.Wiring(invoke, publish, time_scale, check_invoke))
    if wiring.first_time():
        for shim in SHIMS:
            shim()
