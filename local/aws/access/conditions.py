"""Evaluate the Condition of a policy's statement.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from local.aws.access.patterns import PolicyError, arn_matcher_of, matcher_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Context = Mapping[str, str]
    Test = Callable[[str], bool]

# What a request on the local stack may carry; a key that it does not carry is missing, as on AWS. A condition on any
# other key is refused: the local stack would never fill it, so its answer would differ from AWS's.
CONTEXT_KEYS: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:requestedregion",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
    }
)

_EQUALS: Final[Mapping[str, Callable[[str], Test]]] = {
    "StringEquals": lambda wanted: wanted.__eq__,
    "StringEqualsIgnoreCase": lambda wanted: lambda given: given.lower() == wanted.lower(),
    "StringLike": matcher_of,
    "ArnEquals": arn_matcher_of,
    "ArnLike": arn_matcher_of,
    "Bool": lambda wanted: lambda given: given.lower() == wanted.lower(),
}
_NEGATED: Final[Mapping[str, str]] = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def condition_of(block: Mapping[str, Mapping[str, Any]]) -> Callable[[Context], bool]:
    """Return whether a request's context, with its keys in small letters, meets every condition of `block`.

    Raises:
        PolicyError: an operator or a key is not known here.
    """
    tests = [
        _test_of(operator, key.lower(), [_text(each) for each in (values if isinstance(values, list) else [values])])
        for operator, wanted in block.items()
        for key, values in wanted.items()
    ]
    return lambda context: all(test(context) for test in tests)


def _test_of(operator: str, key: str, values: list[str]) -> Callable[[Context], bool]:
    if key not in CONTEXT_KEYS:
        raise PolicyError(f"the local stack knows no condition key {key!r}")
    if operator == "Null":
        return lambda context: values == [_text(key not in context)]
    name = operator.removesuffix("IfExists")
    is_negated = name in _NEGATED
    equals = _EQUALS.get(_NEGATED.get(name, name))
    if equals is None:
        raise PolicyError(f"the local stack knows no condition operator {operator!r}")
    tests = [equals(value) for value in values]
    when_missing = is_negated or name != operator

    def holds(context: Context) -> bool:
        if key not in context:
            return when_missing
        return any(test(context[key]) for test in tests) is not is_negated

    return holds


def _text(value: Any) -> str:
    """Return a value as IAM compares it: YAML and JSON may hold a boolean or a number where a text is meant."""
    return str(value).lower() if isinstance(value, bool) else str(value)
