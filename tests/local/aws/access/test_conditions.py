from typing import Any

import pytest

from local.aws.access.conditions import condition_of
from local.aws.access.patterns import PolicyError

RULE = "arn:aws:events:us-east-1:123456789012:rule/nightshift/alerts"
CONTEXT = {"aws:sourcearn": RULE, "aws:sourceaccount": "123456789012", "aws:securetransport": "true"}


@pytest.mark.parametrize(
    ("block", "holds"),
    [
        ({}, True),
        ({"StringEquals": {"aws:SourceAccount": "123456789012"}}, True),
        ({"StringEquals": {"AWS:sourceaccount": ["1", "123456789012"]}}, True),
        ({"StringEquals": {"aws:SourceAccount": 123456789012}}, True),
        ({"StringEquals": {"aws:SourceAccount": "1"}}, False),
        ({"StringNotEquals": {"aws:SourceAccount": ["1", "2"]}}, True),
        ({"StringNotEquals": {"aws:SourceAccount": ["1", "123456789012"]}}, False),
        ({"StringEqualsIgnoreCase": {"aws:SourceArn": RULE.upper()}}, True),
        ({"StringLike": {"aws:SourceArn": "*:rule/nightshift/*"}}, True),
        ({"StringNotLike": {"aws:SourceArn": "*:rule/nightshift/*"}}, False),
        ({"ArnEquals": {"aws:SourceArn": RULE}}, True),
        ({"ArnEquals": {"aws:SourceArn": f"{RULE}-other"}}, False),
        ({"ArnLike": {"aws:SourceArn": ["arn:aws:sns:::x", "arn:aws:events:*:*:rule/nightshift/*"]}}, True),
        ({"ArnNotLike": {"aws:SourceArn": "arn:aws:events:*:*:rule/other/*"}}, True),
        ({"Bool": {"aws:SecureTransport": True}}, True),
        ({"Bool": {"aws:SecureTransport": "false"}}, False),
        ({"StringEquals": {"aws:PrincipalArn": "x"}}, False),
        ({"StringEqualsIfExists": {"aws:PrincipalArn": "x"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceAccount": "1"}}, False),
        ({"StringNotEquals": {"aws:PrincipalArn": "x"}}, True),
        ({"Null": {"aws:PrincipalArn": "true"}}, True),
        ({"Null": {"aws:SourceArn": True}}, False),
        ({"Null": {"aws:SourceArn": "false"}}, True),
        (
            {"StringEquals": {"aws:SourceAccount": "123456789012"}, "ArnEquals": {"aws:SourceArn": "arn:aws:sns:::x"}},
            False,
        ),
        ({"StringEquals": {"aws:SourceAccount": "123456789012", "aws:SourceArn": "x"}}, False),
    ],
)
def test_holds_when_all_of_it_holds(block: dict[str, Any], holds: bool) -> None:
    assert condition_of(block)(CONTEXT) is holds


@pytest.mark.parametrize(
    "block",
    [
        {"NumericLessThan": {"aws:SourceAccount": "5"}},
        {"ForAnyValue:StringEquals": {"aws:SourceAccount": "5"}},
        {"StringEquals": {"dynamodb:LeadingKeys": "x"}},
    ],
)
def test_refuses_what_it_could_not_evaluate(block: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="the local stack knows no condition"):
        condition_of(block)
