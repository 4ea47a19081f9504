"""Match the wildcards of IAM's policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN = re.compile(r"\$\{([^}]*)\}|\*|\?")
_ARN_PARTS = 6


class PolicyError(ValueError):
    """A policy holds what the local stack cannot evaluate; allowing or denying on a guess would mislead."""


def matcher_of(pattern: str, *, ignore_case: bool = False) -> Callable[[str], bool]:
    """Return whether a text matches `pattern` as a whole; `*` stands for any text, `?` for one character.

    Raises:
        PolicyError: it holds a policy variable; only `${*}`, `${?}` and `${$}`, which stand for themselves, are known.
    """
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    found = re.compile(_regex_of(pattern), flags).fullmatch
    return lambda text: found(text) is not None


def arn_matcher_of(pattern: str) -> Callable[[str], bool]:
    """Return whether an ARN matches: its six parts one by one, so that no wildcard reaches over a colon between them.

    Raises:
        PolicyError: as `matcher_of`, or it has not the parts of an ARN.
    """
    if pattern == "*":
        return lambda _: True
    parts = pattern.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS:
        raise PolicyError(f"not an ARN, whose parts are six: {pattern!r}")
    matchers = [matcher_of(part) for part in parts]

    def matches(arn: str) -> bool:
        given = arn.split(":", _ARN_PARTS - 1)
        if len(given) != _ARN_PARTS:
            return False
        return all(matcher(part) for matcher, part in zip(matchers, given, strict=True))

    return matches


def _regex_of(pattern: str) -> str:
    regex, end = [], 0
    for token in _TOKEN.finditer(pattern):
        regex += [re.escape(pattern[end : token.start()]), _regex_of_token(token, pattern)]
        end = token.end()
    return "".join([*regex, re.escape(pattern[end:])])


def _regex_of_token(token: re.Match[str], pattern: str) -> str:
    if token[1] is None:
        return ".*" if token[0] == "*" else "."
    if token[1] in {"*", "?", "$"}:
        return re.escape(token[1])
    raise PolicyError(f"the local stack knows no policy variables: {pattern!r}")
