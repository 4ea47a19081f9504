import json
from typing import Any

import pytest

from local.aws.access.patterns import PolicyError
from local.aws.access.policies import Principal, Question, Verdict, evaluate, read_policy, statements_of

TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/ledger"
ALLOW = {"Effect": "Allow", "Action": "dynamodb:*Item", "Resource": TABLE}
RULE = "arn:aws:events:us-east-1:123456789012:rule/bus/r"
SESSION = Principal(
    frozenset({"AWS:arn:aws:sts::123456789012:assumed-role/r/f", "AWS:arn:aws:iam::123456789012:role/r"}),
    "123456789012",
)


def verdict(
    *statements: dict[str, Any], action: str = "dynamodb:PutItem", resource: str = TABLE, **more: Any
) -> Verdict:
    return evaluate(statements_of({"Statement": list(statements)}), Question(action, resource, **more))


def test_is_silent_when_nothing_is_said() -> None:
    assert verdict() is Verdict.SILENT
    assert read_policy("{}") == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Verdict.ALLOWED),
        ({"Action": "DYNAMODB:putitem"}, Verdict.ALLOWED),
        ({"Action": ["dynamodb:GetItem", "dynamodb:Put*"]}, Verdict.ALLOWED),
        ({"Action": "*"}, Verdict.ALLOWED),
        ({"Action": "dynamodb:GetItem"}, Verdict.SILENT),
        ({"Action": "dynamodb:Put"}, Verdict.SILENT),
        ({"Resource": "*"}, Verdict.ALLOWED),
        ({"Resource": ["arn:aws:s3:::b", "arn:aws:dynamodb:*:*:table/l*"]}, Verdict.ALLOWED),
        ({"Resource": f"{TABLE}/index/open"}, Verdict.SILENT),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}, Verdict.SILENT),
    ],
)
def test_a_statement_applies_when_all_its_elements_do(change: dict[str, Any], expected: Verdict) -> None:
    assert verdict(ALLOW | change) is expected


def test_a_right_on_a_table_is_none_on_its_indexes() -> None:
    assert verdict(ALLOW | {"Action": "dynamodb:Query"}, action="dynamodb:Query", resource=f"{TABLE}/index/open") is (
        Verdict.SILENT
    )


def test_a_deny_outweighs_every_allow_wherever_it_stands() -> None:
    deny = ALLOW | {"Effect": "Deny", "Action": "dynamodb:PutItem"}

    assert verdict(ALLOW, deny) is Verdict.DENIED
    assert verdict(deny, ALLOW) is Verdict.DENIED
    assert verdict(ALLOW, deny, action="dynamodb:GetItem") is Verdict.ALLOWED


def test_a_deny_whose_condition_does_not_hold_denies_nothing() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}

    assert verdict(ALLOW, deny, context={"aws:securetransport": "true"}) is Verdict.ALLOWED
    assert verdict(ALLOW, deny, context={"aws:securetransport": "false"}) is Verdict.DENIED


def test_not_action_and_not_resource_mean_all_others() -> None:
    all_but_delete = {"Effect": "Allow", "NotAction": ["dynamodb:Delete*"], "Resource": TABLE}
    deny_elsewhere = {"Effect": "Deny", "Action": "dynamodb:*", "NotResource": [TABLE, f"{TABLE}/*"]}

    assert verdict(all_but_delete) is Verdict.ALLOWED
    assert verdict(all_but_delete, action="dynamodb:DeleteItem") is Verdict.SILENT
    assert verdict(ALLOW, deny_elsewhere) is Verdict.ALLOWED
    assert verdict(ALLOW | {"Resource": "*"}, deny_elsewhere, resource=f"{TABLE}2") is Verdict.DENIED


def test_a_single_statement_may_stand_without_a_list() -> None:
    assert evaluate(statements_of({"Statement": ALLOW}), Question("dynamodb:PutItem", TABLE)) is Verdict.ALLOWED


@pytest.mark.parametrize(
    ("principal", "service", "session"),
    [
        ("*", Verdict.ALLOWED, Verdict.ALLOWED),
        ({"Service": "events.amazonaws.com"}, Verdict.ALLOWED, Verdict.SILENT),
        ({"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}, Verdict.ALLOWED, Verdict.SILENT),
        ({"Service": "sns.amazonaws.com"}, Verdict.SILENT, Verdict.SILENT),
        ({"AWS": "arn:aws:iam::123456789012:role/r"}, Verdict.SILENT, Verdict.ALLOWED),
        ({"AWS": "arn:aws:sts::123456789012:assumed-role/r/f"}, Verdict.SILENT, Verdict.ALLOWED),
        ({"AWS": "arn:aws:iam::123456789012:role/other"}, Verdict.SILENT, Verdict.SILENT),
        ({"AWS": "*"}, Verdict.SILENT, Verdict.ALLOWED),
        ({"AWS": "123456789012"}, Verdict.SILENT, Verdict.SILENT),  # left to the principal's own policies
    ],
)
def test_a_resources_policy_says_whom_it_means(principal: Any, service: Verdict, session: Verdict) -> None:
    statement = ALLOW | {"Principal": principal}

    assert verdict(statement, principal=Principal(frozenset({"Service:events.amazonaws.com"}))) is service
    assert verdict(statement, principal=SESSION) is session


def test_to_deny_an_account_denies_its_principals() -> None:
    deny = {"Effect": "Deny", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "*", "Resource": "*"}

    assert verdict(deny, principal=SESSION) is Verdict.DENIED


def test_a_trust_policy_has_no_resource() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    lambda_service = Principal(frozenset({"Service:lambda.amazonaws.com"}))

    assert verdict(trust, action="sts:AssumeRole", principal=lambda_service) is Verdict.ALLOWED


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "nothing",
        '{"Statement": ["all"]}',
        json.dumps({"Statement": {"Effect": "Allow", "Resource": "*"}}),
        json.dumps({"Statement": ALLOW | {"NotResource": "*"}}),
        json.dumps({"Statement": ALLOW | {"Effect": "Perhaps"}}),
        json.dumps({"Statement": ALLOW | {"NotPrincipal": "*"}}),
    ],
)
def test_refuses_what_is_no_policy(document: str) -> None:
    with pytest.raises(PolicyError):
        read_policy(document)
