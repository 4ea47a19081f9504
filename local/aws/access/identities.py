"""Create the template's roles and policies in moto's IAM, without the way over its wire."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError
from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends


class Identities:
    """Those operations of a boto3 client for IAM that a deployment makes, by the same names and parameters.

    A template of 28 functions makes some 150 of these calls. By a client they take a second of the stack's start, for
    XML that is written and read; moto's IAM itself takes some 20 ms for all. What it refuses raises ClientError.
    """

    def __init__(self, account: str) -> None:
        self._account = account

    def create_role(self, *, RoleName: str, AssumeRolePolicyDocument: str) -> None:  # noqa: N803 (boto3's names)
        """Create a role that nothing is attached to."""
        self._make("create_role", RoleName, AssumeRolePolicyDocument, "/", None, "", [], None)

    def put_role_policy(self, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:  # noqa: N803 (as above)
        """Give a role an inline policy."""
        self._make("put_role_policy", RoleName, PolicyName, PolicyDocument)

    def create_policy(self, *, PolicyName: str, PolicyDocument: str, Description: str = "") -> None:  # noqa: N803 (as above)
        """Create a managed policy."""
        self._make("create_policy", Description, "/", PolicyDocument, PolicyName, [])

    def attach_role_policy(self, *, RoleName: str, PolicyArn: str) -> None:  # noqa: N803 (as above)
        """Attach a managed policy to a role."""
        self._make("attach_role_policy", PolicyArn, RoleName)

    def _make(self, operation: str, *arguments: Any) -> None:
        try:
            getattr(iam_backends[self._account]["aws"], operation)(*arguments)
        except ServiceException as error:
            refused: Any = {"Error": {"Code": error.code, "Message": error.message}}
            raise ClientError(refused, operation) from error
