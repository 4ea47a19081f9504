"""What AWS's services may do for the template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.aws.access.authorize import EVENTS, check_events_on_log_group, check_role, check_service_on_queue
from local.aws.access.errors import AccessDeniedError, RoleError
from local.aws.access.identities import Identities
from local.aws.access.needs.need import Need
from local.aws.access.roles import assume
from local.aws.queues import find_queue
from tests.local.aws.access.conftest import ACCOUNT, REGION, MakeRole, allow, policy, trust

RULE = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/bus/r"
SEND = Need("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q")
SCHEDULER = "scheduler.amazonaws.com"


def test_a_service_acts_as_a_role_within_its_rights(role: MakeRole) -> None:
    arn = role(allow("sqs:SendMessage", SEND.resource), trusts=SCHEDULER)

    check_role(arn, SCHEDULER, SEND)
    with pytest.raises(AccessDeniedError, match=r"assumed-role/role-\w+/\w+ is not authorized to perform: sqs:receive"):
        check_role(arn, SCHEDULER, SEND._replace(action="sqs:ReceiveMessage"))


def test_a_role_must_trust_the_service(role: MakeRole) -> None:
    arn = role(allow("*"), trusts="states.amazonaws.com")

    with pytest.raises(RoleError, match=f"{SCHEDULER} may not assume {arn}"):
        check_role(arn, SCHEDULER, SEND)
    with pytest.raises(RoleError, match=r"lambda\.amazonaws\.com may not assume"):
        assume(arn, "lambda.amazonaws.com", "f")


@pytest.mark.parametrize("arn", ["", f"arn:aws:iam::{ACCOUNT}:role/nobody", "arn:aws:sqs:::x"])
def test_a_role_must_exist(arn: str) -> None:
    with pytest.raises(RoleError, match="there is no role"):
        check_role(arn, SCHEDULER, SEND)


@pytest.mark.parametrize(("account", "trusted"), [(ACCOUNT, True), ("999999999999", False)])
def test_a_trust_policy_may_name_the_account(server: object, name: str, account: str, trusted: bool) -> None:
    only = {"Condition": {"StringEquals": {"aws:SourceAccount": account}}}
    Identities(ACCOUNT).create_role(RoleName=name, AssumeRolePolicyDocument=trust(SCHEDULER, **only))

    def use() -> None:
        assume(f"arn:aws:iam::{ACCOUNT}:role/{name}", SCHEDULER, "s")

    if trusted:
        use()
    else:
        with pytest.raises(RoleError):
            use()


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ({}, True),
        ({"Condition": {"ArnEquals": {"aws:SourceArn": RULE}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/bus/*"}}}, True),
        ({"Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/other/*"}}}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}, True),
        ({"Principal": {"Service": "sns.amazonaws.com"}}, False),
        ({"Action": "sqs:ReceiveMessage"}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_a_queues_policy_lets_rules_in(
    aws: Callable[[str], Any], name: str, statement: dict[str, Any], allowed: bool
) -> None:
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    own = policy(allow("sqs:SendMessage", arn, Principal={"Service": EVENTS}) | statement)
    aws("sqs").create_queue(QueueName=name, Attributes={"Policy": own})

    if allowed:
        check_service_on_queue(EVENTS, find_queue(arn), RULE)
    else:
        with pytest.raises(AccessDeniedError, match="because no resource-based policy allows the sqs:sendmessage"):
            check_service_on_queue(EVENTS, find_queue(arn), RULE)


def test_a_queue_without_a_policy_lets_no_service_in(aws: Callable[[str], Any], name: str) -> None:
    aws("sqs").create_queue(QueueName=name)

    with pytest.raises(AccessDeniedError):
        check_service_on_queue(EVENTS, find_queue(f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"), RULE)


def test_a_log_group_wants_both_of_its_actions_allowed(aws: Callable[[str], Any], name: str) -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    logs = aws("logs")

    def let_in(*actions: str, service: str = EVENTS) -> None:
        own = policy(allow(list(actions), f"{group}:*", Principal={"Service": service}))
        logs.put_resource_policy(policyName=name, policyDocument=own)

    let_in("logs:PutLogEvents")
    with pytest.raises(AccessDeniedError, match="logs:CreateLogStream"):
        check_events_on_log_group(f"{group}:log-stream:s", RULE)
    let_in("logs:PutLogEvents", "logs:CreateLogStream")
    check_events_on_log_group(f"{group}:log-stream:s", RULE)
    let_in("logs:*", service="delivery.logs.amazonaws.com")
    check_events_on_log_group(f"{group}:log-stream:s", RULE)
    with pytest.raises(AccessDeniedError):
        check_events_on_log_group(f"{group}-other:log-stream:s", RULE)
    logs.delete_resource_policy(policyName=name)
