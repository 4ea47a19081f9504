"""Parse each condition and filter expression once, whatever values it comes with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from moto.dynamodb import comparisons
from moto.dynamodb.comparisons import ConditionExpressionParser

KEPT = 1024  # expressions; a stack has some dozens

_original_make_operand = ConditionExpressionParser._make_operand  # noqa: SLF001  # a shim takes its place
_original_parse = ConditionExpressionParser.parse


def parse_each_condition_once() -> None:
    """Keep the syntax tree of an expression, by its text and its names, and put the values in anew.

    moto 5.2.5: an update parses its condition twice and a put three times, each time with a lexer that compiles its
    patterns for every token: 0.2 ms for `attribute_not_exists(pk)`, 1 ms for the condition of a ledger row's end.
    """
    ConditionExpressionParser.parse = _parse
    ConditionExpressionParser._make_operand = _make_operand  # noqa: SLF001


def _parse(self: Any) -> Any:
    """Stand in for moto's: return the condition and note the names and values that it uses."""
    text, names, values = self.condition_expression, self.expression_attribute_names, self.expression_attribute_values
    if not text:
        return comparisons.OpDefault(None, None)
    tree, names_used, values_used = _syntax(text, tuple((names or {}).items()), frozenset(values or ()))
    self.expr_attr_names_found.extend(names_used)
    self.expr_attr_values_found.extend(values_used)
    return self._make_op_condition(tree)


def _make_operand(self: Any, node: Any) -> Any:
    """Stand in for moto's: a value is the one of this request, not the one that the tree was parsed with."""
    if node.kind == self.Kind.EXPRESSION_ATTRIBUTE_VALUE:
        return comparisons.AttributeValue(self.expression_attribute_values[node.text])
    return _original_make_operand(self, node)


class _Syntax(ConditionExpressionParser):  # type: ignore[misc]  # moto ships no types
    """moto's parser, for the tree alone."""

    def _make_op_condition(self, node: Any) -> Any:
        return node


@lru_cache(KEPT)
def _syntax(text: str, names: tuple[tuple[str, str], ...], values: frozenset[str]) -> Any:
    """Return an expression's tree and the placeholders in it; raise moto's errors for what it refuses.

    `values` are the names of the values alone: a name that is missing is an error of the parser.
    """
    parser = _Syntax(text, dict(names), dict.fromkeys(values))
    tree = _original_parse(parser)
    return tree, tuple(parser.expr_attr_names_found), tuple(parser.expr_attr_values_found)
