"""Evaluate JSONata with values bound to the expression, as AWS does, and answer plain JSON."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonata import Jsonata, Parser

from local.aws.state_machines.expression_functions import AWS_FUNCTIONS
from local.aws.state_machines.json_values import ExpressionError, to_bound, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Parsed copies kept of one expression: as many as evaluate it at the same moment, not one a run.
IDLE_COPIES = 16
_ELSEWHERE = object()
_OF_EVERY_SYMBOL = frozenset({"_outer_instance", "id", "type", "value", "position", "bp", "steps"})


@dataclass(frozen=True)
class References:
    """What an expression reads: variables, and which fields of `$states` (None: all of it)."""

    variables: frozenset[str]
    states_fields: frozenset[str] | None


@dataclass
class _Parsed:
    """One expression's idle parsed copies, and what it reads."""

    references: References
    path: tuple[str, ...] | None
    idle: deque[Jsonata] = field(default_factory=lambda: deque(maxlen=IDLE_COPIES))


_parsed: dict[str, _Parsed] = {}
_parsed_lock = threading.Lock()


def evaluate(source: str, bind: Callable[[References], Mapping[str, Any]]) -> Any:
    """Return the JSON value of the expression `source`.

    `bind` is told what the expression reads and returns the values by name, without `$`. Raises
    ExpressionError, also when the result is undefined: JSON cannot say that.
    """
    entry = _lookup(source)
    values = bind(entry.references)
    if entry.path is not None and (found := _value_at(entry.path, values)) is not _ELSEWHERE:
        return to_json(to_bound(found))
    # jsonata-python keeps the evaluation's context on the parsed object, so a copy serves one thread at a time.
    try:
        program = entry.idle.pop()
    except IndexError:
        program = _parse(source)
    bindings = {name: to_bound(value) for name, value in values.items()}
    # $millis() and $now() read the time of the object that the *thread* used last: that must be this one.
    Jsonata.CURRENT.jsonata = program
    try:
        result = program.evaluate(None, bindings)
    except RecursionError as error:
        raise ExpressionError("The expression recurses too deeply") from error
    except Exception as error:
        raise ExpressionError(_message(error)) from error
    entry.idle.append(program)
    if result is None:
        raise ExpressionError("returned nothing (undefined).")
    return to_json(result)


def _message(error: Exception) -> str:
    code = getattr(error, "error", None)
    return (
        f"threw an error during evaluation. {code}: {error}" if code else f"threw an error during evaluation. {error}"
    )


def _lookup(source: str) -> _Parsed:
    entry = _parsed.get(source)
    if entry is None:
        program = _parse(source)
        with _parsed_lock:
            entry = _parsed.setdefault(source, _Parsed(_references(program.ast), _path(program.ast)))
        entry.idle.append(program)
    return entry


def _parse(source: str) -> Jsonata:
    try:
        program = Jsonata(source)
    except Exception as error:
        raise ExpressionError(_message(error)) from error
    program.set_output_convert_nulls(False)  # it would write into the values that are bound
    program.set_validate_input(False)
    for name, function in AWS_FUNCTIONS.items():
        program.register_lambda(name, function)
    return program


def _references(ast: Parser.Symbol) -> References:
    variables = [str(node.value) for node in _nodes(ast) if getattr(node, "type", None) == "variable"]
    fields = [name for node in _nodes(ast) if (name := _states_field(node)) is not None]
    # `$states` that is not followed by a field's name (passed to a function, say) may read all of it.
    whole = variables.count("states") > len(fields)
    return References(frozenset(variables) - {"states"}, None if whole else frozenset(fields))


def _path(ast: Parser.Symbol) -> tuple[str, ...] | None:
    """Return the names of `$variable.name.name`, None for an expression that is anything more."""
    steps = ast.steps if ast.type == "path" else [ast]
    if not steps or steps[0].type != "variable" or any(step.type != "name" for step in steps[1:]):
        return None
    if any(value for node in (ast, *steps) for name, value in vars(node).items() if name not in _OF_EVERY_SYMBOL):
        return None  # a filter, an order, `[]`, …
    return tuple(str(step.value) for step in steps)


def _value_at(path: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """Return what a path leads to through objects alone; lists, null and what is missing are JSONata's to judge."""
    found: Any = values
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return _ELSEWHERE
        found = found[name]
    return _ELSEWHERE if found is None or isinstance(found, (list, tuple)) else found


def _states_field(node: Parser.Symbol) -> str | None:
    """Return `input` for the path `$states.input…`, None for anything else."""
    steps = getattr(node, "steps", None)
    if getattr(node, "type", None) != "path" or not steps or len(steps) < 2:
        return None
    first, second = steps[:2]
    filtered = getattr(first, "stages", None) or getattr(first, "predicate", None)
    if getattr(first, "type", None) != "variable" or first.value != "states" or filtered:
        return None
    return str(second.value) if getattr(second, "type", None) == "name" else None


def _nodes(root: Any) -> Iterator[Any]:
    """Walk every symbol below `root` once; a symbol also points at its parser, which is not one."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, (list, tuple)):
            todo.extend(node)
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            yield node
            todo.extend(vars(node).values())
