# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Read a state machine's definition as JSON means it, once, for all its executions."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.parse import preprocessor
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

logger = logging.getLogger(__name__)

# A stack has tens of machines; tests make many small ones. The oldest definition is parsed again.
PROGRAMS_KEPT = 256

_programs: dict[str, Any] = {}
_lock = threading.Lock()


def parse_each_definition_once() -> None:
    """Parse a definition when it is first seen, not at every start.

    moto 5.2.5: `AmazonStateLanguageParser.parse` runs ANTLR (20 ms) at each creation, update and start. A parsed
    program keeps an execution's state in the Environment only, with one exception: a Distributed Map's iteration
    component keeps its own, so those are parsed for each execution.
    """
    parse = AmazonStateLanguageParser.parse

    def parse_once(definition: str) -> Any:
        with _lock:
            parsed = _programs.get(definition)
        if parsed is None:
            parsed = parse(definition)
            if '"DISTRIBUTED"' not in definition:
                _keep(definition, parsed)
        return parsed

    AmazonStateLanguageParser.parse = staticmethod(parse_once)


def _keep(definition: str, parsed: Any) -> None:
    with _lock:
        _programs[definition] = parsed
        while len(_programs) > PROGRAMS_KEPT:
            del _programs[next(iter(_programs))]


def read_strings_as_json() -> None:
    """Give states the text that the definition's JSON strings mean.

    moto 5.2.5: `Preprocessor._inner_string_of` keeps the escapes of a literal in Assign and of a state's name (a quote
    comes with its backslash); `from_string_literal` reads the others as Python does, which splits an escaped emoji in
    two halves that are no UTF-8, and keeps the backslash of an escaped slash.
    """
    inner_string_of = preprocessor.Preprocessor._inner_string_of
    from_string_literal = preprocessor.from_string_literal
    preprocessor.Preprocessor._inner_string_of = staticmethod(
        lambda parser_rule_context: _json_string(parser_rule_context, inner_string_of)
    )
    preprocessor.from_string_literal = lambda parser_rule_context: _json_string(
        parser_rule_context, from_string_literal
    )


def _json_string(context: Any, otherwise: Any) -> Any:
    try:
        text = json.loads(context.getText())
    except ValueError:
        return otherwise(context)
    return text if isinstance(text, str) else otherwise(context)


def keep_failed_steps_out_of_the_log() -> None:
    """Leave a step's failure to the execution's history, where people look for it.

    moto 5.2.5: `EvalComponent` logs each failure as an error once for every level of the program, each time with the
    text of everything below it: kilobytes, and milliseconds, for one retried attempt.
    """
    EvalComponent._log_failure_event_exception = _note_failure
    EvalComponent._log_exception = _note_failure


def _note_failure(self: Any, failure_event_exception: Any = None, exception: Any = None) -> None:
    logger.debug("%s failed: %r", type(self).__name__, failure_event_exception or exception)


def count_attempts_by_component() -> None:
    """Give a retrier the same key for its count of attempts in every thread.

    moto 5.2.5: `EvalComponent.heap_key` makes up a key when it is first read; two executions that first fail at the
    same moment make two, and the one whose key is overwritten counts its attempts from zero again.
    """
    EvalComponent.heap_key = property(lambda self: str(id(self)))
