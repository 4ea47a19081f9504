import pytest

from local.aws.access.patterns import PolicyError, arn_matcher_of, matcher_of

QUEUE = "arn:aws:sqs:us-east-1:123456789012:nightshift_alerts"


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("sqs:SendMessage", "sqs:SendMessage", True),
        ("sqs:*", "sqs:SendMessage", True),
        ("sqs:Send*", "sqs:ReceiveMessage", False),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("a.c", "abc", False),
        ("(a+)", "(a+)", True),
        ("*", "line\nline", True),
        ("a", "aa", False),
        ("a${*}b", "a*b", True),
        ("a${*}b", "axb", False),
        ("a${?}${$}b", "a?$b", True),
    ],
)
def test_matches_the_whole_text(pattern: str, text: str, matches: bool) -> None:
    assert matcher_of(pattern)(text) is matches


def test_compares_by_case_unless_told_otherwise() -> None:
    assert not matcher_of("sqs:sendmessage")("sqs:SendMessage")
    assert matcher_of("sqs:sendmessage", ignore_case=True)("sqs:SendMessage")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("*", True),
        (QUEUE, True),
        ("arn:aws:sqs:*:*:nightshift_*", True),
        ("arn:aws:sqs:us-east-1:*:*", True),
        ("arn:aws:sqs:us-east-1:123456789012:nightshift_?lerts", True),
        ("arn:aws:sqs:us-east-1:123456789012:nightshift", False),
        ("arn:aws:sqs:us-west-2:*:*", False),
        ("arn:aws:sqs:*:nightshift_alerts:*", False),  # a wildcard ends at its colon
        ("arn:aws:sns:*:*:*", False),
    ],
)
def test_matches_an_arn_part_by_part(pattern: str, matches: bool) -> None:
    assert arn_matcher_of(pattern)(QUEUE) is matches


def test_the_last_part_of_an_arn_may_hold_colons() -> None:
    stream = "arn:aws:logs:us-east-1:123456789012:log-group:g:log-stream:s"

    assert arn_matcher_of("arn:aws:logs:us-east-1:123456789012:log-group:g:*")(stream)
    assert not arn_matcher_of("arn:aws:logs:us-east-1:123456789012:log-group:g")(stream)


def test_what_is_no_arn_matches_only_everything() -> None:
    assert arn_matcher_of("*")("*")
    assert not arn_matcher_of("arn:aws:s3:::*")("*")


def test_refuses_what_is_no_arn() -> None:
    with pytest.raises(PolicyError, match="not an ARN"):
        arn_matcher_of("arn:aws:*:nightshift_alerts")


def test_refuses_policy_variables() -> None:
    with pytest.raises(PolicyError, match="policy variables"):
        matcher_of("home/${aws:username}")
