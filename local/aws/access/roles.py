"""Roles as they act: who may assume them, their sessions' keys, and what their policies allow."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from local.aws.access.credentials import Credentials
from local.aws.access.decisions import remembered
from local.aws.access.errors import RoleError
from local.aws.access.patterns import PolicyError
from local.aws.access.policies import Principal, Question, Verdict, evaluate, read_policy

if TYPE_CHECKING:
    from local.aws.access.policies import Statement

_SESSION_SECONDS: Final = 3600  # nothing ends a session on the local stack: its workers keep their keys


@dataclass(frozen=True)
class Session:
    """Somebody who acts as a role."""

    role_arn: str
    name: str

    @property
    def account(self) -> str:
        """The role's account."""
        return self.role_arn.split(":")[4]

    @cached_property
    def arn(self) -> str:
        """What AWS calls it in its messages."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role_arn.rpartition('/')[2]}/{self.name}"

    @cached_property
    def principal(self) -> Principal:
        """The names by which a resource's policy may mean it."""
        return Principal(frozenset({f"AWS:{self.arn}", f"AWS:{self.role_arn}"}), self.account)


def assume(role_arn: str, service: str, session_name: str) -> Credentials:
    """Return the keys of a session that STS opens for an AWS service, such as `lambda.amazonaws.com`.

    Raises:
        RoleError: there is no such role, or its trust policy does not name the service.
    """
    check_trust(role_arn, service)
    session = sts_backends[role_arn.split(":")[4]]["aws"].assume_role(
        region_name="us-east-1",
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=_SESSION_SECONDS,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def check_trust(role_arn: str, service: str) -> None:
    """Raise RoleError unless the role's trust policy lets an AWS service of this account assume it."""
    account = DEFAULT_ACCOUNT_ID
    question = Question(
        "sts:AssumeRole",
        role_arn,
        Principal(frozenset({f"Service:{service}"})),
        {"aws:sourceaccount": account, "aws:principalaccount": account},
    )
    try:
        verdict = evaluate(read_policy(_role(role_arn).assume_role_policy_document), question)
    except PolicyError as error:
        raise RoleError(f"the trust policy of {role_arn}: {error}") from None
    if verdict is not Verdict.ALLOWED:
        raise RoleError(f"{service} may not assume {role_arn}: its trust policy does not name that service")


def session_of(access_key_id: str) -> tuple[Session, str] | None:
    """Return whose key it is, and the token that goes with it; None for a key that STS did not give out."""
    return remembered(("key", access_key_id), lambda: _find_session(access_key_id))


def statements_of(role_arn: str) -> tuple[Statement, ...]:
    """Return what all policies of a role say together.

    Raises:
        RoleError: there is no such role.
        PolicyError: one of its policies cannot be evaluated.
    """
    return remembered(("role", role_arn), lambda: _read_statements(_role(role_arn)))


def session_for(role_arn: str) -> Session:
    """Return a session of a service that acts as the role for one request and names the session itself."""
    return Session(role_arn, uuid.uuid4().hex)


def _read_statements(role: Any) -> tuple[Statement, ...]:
    documents = list(role.policies.values())
    for policy in list(role.managed_policies.values()):
        documents += [version.document for version in policy.versions if version.is_default]
    return tuple(statement for document in documents for statement in read_policy(document))


def _role(role_arn: str) -> Any:
    parts = role_arn.split(":")
    if len(parts) == 6 and parts[2] == "iam":
        try:
            return iam_backends[parts[4]]["aws"].get_role_by_arn(role_arn)
        except NotFoundException:
            pass
    raise RoleError(f"there is no role {role_arn!r}")


def _find_session(access_key_id: str) -> tuple[Session, str] | None:
    for _, _, backend in sts_backends.iter_backends():
        found = backend.get_assumed_role_from_access_key(access_key_id)
        if found is not None:
            return Session(found.role_arn, found.session_name), found.session_token
    return None
