"""Say whether a role's session or an AWS service may do a thing, in the words in which AWS says no."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from moto.logs.models import logs_backends

from local.aws.access import roles
from local.aws.access.decisions import remembered
from local.aws.access.errors import AccessDeniedError, RoleError
from local.aws.access.needs.need import Need
from local.aws.access.patterns import PolicyError
from local.aws.access.policies import Principal, Question, Verdict, evaluate, read_policy
from local.aws.queues import find_queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.aws.access.roles import Session

EVENTS: Final = "events.amazonaws.com"
_LOG_DELIVERY: Final = "delivery.logs.amazonaws.com"  # either of the two may be named where events are logged
_LOG_ACTIONS: Final = ("logs:CreateLogStream", "logs:PutLogEvents")


def refusal(session: Session, need: Need, region: str) -> str | None:
    """Return why a session may not do what it asks for; None when it may.

    The session's own policies decide, and a queue's: it may allow what they are silent on, and deny what they allow.
    """
    key = (session.role_arn, session.name, need, region)
    return remembered(key, lambda: _refusal(session, need, region))


def check_role(role_arn: str, service: str, need: Need) -> None:
    """Let an AWS service that acts as a role do a thing.

    Raises:
        RoleError: there is no such role, or the service may not assume it.
        AccessDeniedError: the role may not.
    """
    reason = remembered((role_arn, service, need), lambda: _role_refusal(role_arn, service, need))
    if reason is not None:
        raise reason


def check_service_on_queue(service: str, queue: Any, source_arn: str) -> None:
    """Let a service send to a queue, as the queue's own policy says; raise AccessDeniedError.

    `source_arn` is for what the service acts, such as a rule.
    """
    arn: str = queue.queue_arn
    need = Need("sqs:SendMessage", arn)
    if not remembered((service, source_arn, arn), lambda: _service_may(service, need, source_arn, [queue.policy])):
        raise AccessDeniedError(_words(service, need, "because no resource-based policy allows"))


def check_events_on_log_group(stream_arn: str, source_arn: str) -> None:
    """Let a rule write a log stream, as the policies of CloudWatch Logs say; raise AccessDeniedError."""
    for action in _LOG_ACTIONS:
        need = Need(action, stream_arn)
        if not remembered((EVENTS, source_arn, need), partial(_may_log, need, source_arn)):
            raise AccessDeniedError(_words(EVENTS, need, "because no resource-based policy allows"))


def _refusal(session: Session, need: Need, region: str) -> str | None:
    question = Question(need.action, need.resource, session.principal, _context(session, region))
    try:
        of_resource = evaluate(read_policy(_queue_policy(need.resource)), question)
        if of_resource is Verdict.DENIED:
            return _words(session.arn, need, "with an explicit deny in a resource-based policy")
        of_session = evaluate(roles.statements_of(session.role_arn), question)
    except (PolicyError, RoleError) as error:
        return _words(session.arn, need, f"because it cannot be decided: {error}")
    if of_session is Verdict.DENIED:
        return _words(session.arn, need, "with an explicit deny in an identity-based policy")
    if Verdict.ALLOWED in {of_session, of_resource}:
        return None
    return _words(session.arn, need, "because no identity-based policy allows")


def _context(session: Session, region: str) -> Mapping[str, str]:
    return {
        "aws:principalarn": session.role_arn,
        "aws:principalaccount": session.account,
        "aws:requestedregion": region,
        # a laptop's loopback stands for the TLS that every SDK uses on AWS
        "aws:securetransport": "true",
    }


def _queue_policy(resource: str) -> str:
    if ":sqs:" in resource:
        try:
            return find_queue(resource).policy or "{}"
        except LookupError:
            pass
    return "{}"


def _role_refusal(role_arn: str, service: str, need: Need) -> Exception | None:
    try:
        roles.check_trust(role_arn, service)
    except RoleError as error:
        return error
    reason = _refusal(roles.session_for(role_arn), need, need.resource.split(":")[3])
    return AccessDeniedError(reason) if reason else None


def _may_log(need: Need, source_arn: str) -> bool:
    _, _, _, region, account, _ = need.resource.split(":", 5)
    documents = [policy.policy_document for policy in logs_backends[account][region].resource_policies.values()]
    return any(_service_may(service, need, source_arn, documents) for service in (EVENTS, _LOG_DELIVERY))


def _service_may(service: str, need: Need, source_arn: str, documents: Iterable[str | None]) -> bool:
    context = {
        "aws:sourcearn": source_arn,
        "aws:sourceaccount": source_arn.split(":")[4],
        "aws:securetransport": "true",
    }
    question = Question(need.action, need.resource, Principal(frozenset({f"Service:{service}"})), context)
    try:
        statements = [statement for document in documents for statement in read_policy(document or "{}")]
    except PolicyError as error:
        raise AccessDeniedError(_words(service, need, f"because it cannot be decided: {error}")) from None
    return evaluate(statements, question) is Verdict.ALLOWED


def _words(who: str, need: Need, reason: str) -> str:
    """Return AWS's sentence. SQS writes its actions small, S3 its resources in quotes."""
    action = need.action.lower() if need.action.startswith("sqs:") else need.action
    resource = f'"{need.resource}"' if need.action.startswith("s3:") else need.resource
    whole = f"{reason} the {action} action" if reason.endswith("allows") else reason
    return f"User: {who} is not authorized to perform: {action} on resource: {resource} {whole}"
