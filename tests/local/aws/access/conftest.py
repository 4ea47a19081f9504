"""Roles to act as, and boto3 clients with their sessions' keys."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest
from botocore.config import Config

from local.aws.access.identities import Identities
from local.aws.access.roles import assume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.aws.server import AwsServer

ACCOUNT = "123456789012"
REGION = "us-east-1"


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def policy(*statements: dict[str, Any]) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(service: str, **more: Any) -> str:
    """Return a trust policy."""
    named = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"} | more
    return policy(named)


class MakeRole(Protocol):
    def __call__(self, *statements: dict[str, Any], trusts: str = "lambda.amazonaws.com") -> str: ...


@pytest.fixture
def role(server: AwsServer) -> MakeRole:
    """Make roles that may do what is said; returns the ARN."""
    identities = Identities(ACCOUNT)

    def make(*statements: dict[str, Any], trusts: str = "lambda.amazonaws.com") -> str:
        name = f"role-{uuid.uuid4().hex[:8]}"
        identities.create_role(RoleName=name, AssumeRolePolicyDocument=trust(trusts))
        if statements:
            identities.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))
        return f"arn:aws:iam::{ACCOUNT}:role/{name}"

    return make


class ActAs(Protocol):
    def __call__(self, role_arn: str, service: str) -> Any: ...


@pytest.fixture
def act_as(server: AwsServer) -> Iterator[ActAs]:
    """Make boto3 clients of a session of a role, as a worker does from its environment."""
    made = []

    def client(role_arn: str, service: str) -> Any:
        keys = assume(role_arn, "lambda.amazonaws.com", "worker")
        made.append(
            boto3.client(  # type: ignore[call-overload] # not a literal
                service,
                region_name=REGION,
                endpoint_url=server.endpoint_url,
                aws_access_key_id=keys.access_key_id,
                aws_secret_access_key=keys.secret_access_key,
                aws_session_token=keys.session_token,
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
        )
        return made[-1]

    yield client
    for each in made:
        each.close()
