"""Read policy documents and say what they allow, as IAM evaluates them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

moto 5.2.5 keeps policies and checks their form, but its own evaluation cannot stand for AWS's: a statement whose
condition does not hold denies, unknown conditions hold, `.` in a name matches anything and `?` repeats, actions are
compared by case, `NotResource` is ignored, and every request parses every policy anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from local.aws.access.conditions import condition_of
from local.aws.access.patterns import PolicyError, arn_matcher_of, matcher_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Verdict(Enum):
    """What policies say of a request: a silent one leaves it to others, and in the end is a no."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True)
class Principal:
    """Who asks: the names by which a resource's or a role's policy may mean it, as `Service:…` or `AWS:…`.

    `account` is the number of an AWS principal's account. A policy that allows the account leaves the decision to the
    principal's own policies; one that denies the account denies the principal.
    """

    names: frozenset[str]
    account: str = ""


@dataclass(frozen=True)
class Question:
    """One action on one resource. `context` holds condition keys in small letters."""

    action: str
    resource: str
    principal: Principal | None = None
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One statement, its patterns compiled."""

    is_allow: bool
    action: Callable[[str], bool]
    resource: Callable[[str], bool]
    principal: Callable[[Principal | None], bool]
    condition: Callable[[Mapping[str, str]], bool]

    def applies(self, question: Question) -> bool:
        """Whether the statement speaks of this request."""
        return (
            self.action(question.action)
            and self.resource(question.resource)
            and self.principal(question.principal)
            and self.condition(question.context)
        )


def evaluate(statements: Iterable[Statement], question: Question) -> Verdict:
    """Return what statements say together: one that denies outweighs all that allow."""
    verdict = Verdict.SILENT
    for statement in statements:
        if statement.applies(question):
            if not statement.is_allow:
                return Verdict.DENIED
            verdict = Verdict.ALLOWED
    return verdict


@lru_cache(maxsize=1024)
def read_policy(document: str) -> tuple[Statement, ...]:
    """Return the statements of a policy document, which is JSON.

    Raises:
        PolicyError: it is malformed, or holds what is not known here.
    """
    try:
        return statements_of(json.loads(document))
    except (ValueError, AttributeError) as error:
        if isinstance(error, PolicyError):
            raise
        raise PolicyError(f"not a policy document: {error}") from None


def statements_of(document: Mapping[str, Any]) -> tuple[Statement, ...]:
    """Return the statements of a policy document; raises PolicyError as `read_policy`."""
    return tuple(_statement(each) for each in _list(document.get("Statement")))


def _statement(given: Mapping[str, Any]) -> Statement:
    if given.get("Effect") not in {"Allow", "Deny"}:
        raise PolicyError(f"a statement's Effect is Allow or Deny, not {given.get('Effect')!r}")
    is_allow = given["Effect"] == "Allow"
    return Statement(
        is_allow=is_allow,
        action=_any_of(given, "Action", lambda pattern: matcher_of(pattern, ignore_case=True)),
        resource=_any_of(given, "Resource", arn_matcher_of) if _names_resource(given) else lambda _: True,
        principal=_principal(given, is_allow=is_allow),
        condition=condition_of(given.get("Condition") or {}),
    )


def _names_resource(given: Mapping[str, Any]) -> bool:
    """Say whether there is a Resource: a role's trust policy has none, for it stands at its resource."""
    return "Resource" in given or "NotResource" in given


def _any_of(
    given: Mapping[str, Any], element: str, compiled: Callable[[str], Callable[[str], bool]]
) -> Callable[[str], bool]:
    """Return whether a text is one of those that the element or its `Not…` names."""
    negated = f"Not{element}"
    if (element in given) == (negated in given):
        raise PolicyError(f"a statement has one of {element} and {negated}")
    matchers = [compiled(pattern) for pattern in _list(given.get(element, given.get(negated)))]
    if negated in given:
        return lambda text: not any(matches(text) for matches in matchers)
    return lambda text: any(matches(text) for matches in matchers)


def _principal(given: Mapping[str, Any], *, is_allow: bool) -> Callable[[Principal | None], bool]:
    if "NotPrincipal" in given:
        raise PolicyError("the local stack knows no NotPrincipal")
    if "Principal" not in given:
        return lambda _: True  # an identity's policy speaks of whoever it is attached to
    if given["Principal"] == "*":
        return lambda principal: principal is not None
    meant = {f"{kind}:{name}" for kind, names in given["Principal"].items() for name in _list(names)}

    def matches(principal: Principal | None) -> bool:
        if principal is None:
            return False
        names = set(principal.names)
        if principal.account:
            names.add("AWS:*")
            if not is_allow:
                names |= {f"AWS:{principal.account}", f"AWS:arn:aws:iam::{principal.account}:root"}
        return not meant.isdisjoint(names)

    return matches


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
