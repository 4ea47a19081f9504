"""Have the policies that AWS itself manages, each when it is first attached."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

_PREFIX: Final = "arn:aws:iam::aws:policy/"
_original_attach_role_policy = IAMBackend.attach_role_policy


@cache
def install() -> None:
    """Make AWS's policies attachable to roles.

    moto 5.2.5 ships all 1,400 of them as one text of 4.7 MB, and knows none unless it may read that whole, for each
    account, when IAM is first used; a template attaches three.
    """
    IAMBackend.attach_role_policy = _attach_role_policy


def _attach_role_policy(self: Any, policy_arn: str, role_name: str) -> None:
    if policy_arn.startswith(_PREFIX) and policy_arn not in self.managed_policies:
        name = policy_arn.rpartition("/")[2]
        found = _read(name)
        policy = found and AWSManagedPolicy.from_data(name, self.account_id, self.region_name, found)
        if policy and policy.arn == policy_arn:
            self.managed_policies[policy_arn] = policy
    _original_attach_role_policy(self, policy_arn, role_name)


def _read(name: str) -> dict[str, Any] | None:
    """Return what moto's text says of one policy; its entries stand one space from the line's beginning."""
    entry = f'\n "{name}":'
    at = aws_managed_policies_data.find(entry)
    if at < 0:
        return None
    found: dict[str, Any] = json.JSONDecoder().raw_decode(aws_managed_policies_data, at + len(entry))[0]
    return found
