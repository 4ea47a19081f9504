"""Let through only those requests to the local AWS that their callers are allowed to make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from local.aws.access import answers, decisions, managed_policies
from local.aws.access.authorize import refusal
from local.aws.access.calls import read_call, read_signature
from local.aws.access.credentials import ADMINISTRATOR
from local.aws.access.needs import UnknownOperationError, needs_of
from local.aws.access.roles import session_of

if TYPE_CHECKING:
    from local.aws.access.calls import ApiCall
    from local.aws.access.roles import Session

_ADMINISTRATORS: Final = f"Credential={ADMINISTRATOR.access_key_id}/"
_OF_MOTO: Final = "/moto-api/"  # moto's own pages and switches; no AWS has them


def install() -> None:
    """Know AWS's own policies, and forget decisions when a policy changes."""
    managed_policies.install()
    decisions.install()


def refused(environ: dict[str, Any]) -> answers.Refusal | None:
    """Return the answer to a request that is not to be served; None for one that is.

    Some 10 microseconds once it was decided: decisions are remembered until a policy changes. The request's
    body stays readable.
    """
    if _ADMINISTRATORS in environ.get("HTTP_AUTHORIZATION", ""):
        return None
    signature = read_signature(environ)
    if signature is None:
        return None if environ.get("PATH_INFO", "").startswith(_OF_MOTO) else answers.unsigned()
    if signature.access_key_id == ADMINISTRATOR.access_key_id:
        return None  # presigned: its key is in the query
    call = read_call(environ, signature)
    session, token = session_of(signature.access_key_id) or (None, None)
    if session is None or token != signature.session_token:
        return answers.unknown_key(call.service, call.protocol)
    reason = _reason(session, call)
    return None if reason is None else answers.denied(call.service, call.protocol, reason)


def _reason(session: Session, call: ApiCall) -> str | None:
    """Return why a session may not make a call; None when it may do all that the call needs."""
    try:
        needs = needs_of(call)
    except UnknownOperationError as error:
        return (
            f"User: {session.arn} is not authorized to perform: {error}: what it needs is not known to the local stack"
        )
    reasons = (refusal(session, need, call.region) for need in needs)
    return next((reason for reason in reasons if reason is not None), None)
