"""Where a stack lives: what CloudFormation's pseudo parameters say of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Placement:
    """A stack's name, region and account, and the endpoint at which its queues are reached.

    Without an `endpoint_url` queue URLs are those of AWS.
    """

    stack_name: str = "nightshift"
    region: str = "us-east-1"
    account_id: str = "123456789012"
    endpoint_url: str | None = None
    partition: str = "aws"

    @property
    def pseudo_parameters(self) -> Mapping[str, Any]:
        """`AWS::NoValue` is not among them: it takes its property away instead of having a value."""
        stack_id = hashlib.sha256(self.stack_name.encode()).hexdigest()[:8]
        return {
            "AWS::StackName": self.stack_name,
            "AWS::StackId": f"{self.arn('cloudformation')}:stack/{self.stack_name}/{stack_id}",
            "AWS::Region": self.region,
            "AWS::AccountId": self.account_id,
            "AWS::Partition": self.partition,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NotificationARNs": [],
        }

    def arn(self, service: str) -> str:
        """Return the beginning of an ARN of `service`, up to the account."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account_id}"

    def queue_url(self, name: str) -> str:
        """Return the URL of the queue `name`."""
        endpoint = self.endpoint_url or f"https://sqs.{self.region}.amazonaws.com"
        return f"{endpoint.rstrip('/')}/{self.account_id}/{name}"

    def generated_name(self, logical_id: str) -> str:
        """Return the name of a resource that the template does not name: CloudFormation's form, the same each time."""
        suffix = hashlib.sha256(f"{self.stack_name}/{logical_id}".encode()).hexdigest()[:12].upper()
        return f"{self.stack_name}-{logical_id}-{suffix}"
