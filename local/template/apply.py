"""Carry out a plan against a fresh AWS: everything is created, nothing compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.template.call import Call


class ApplyError(RuntimeError):
    """AWS refused a call of the plan; the message names the resource and what AWS said."""


def apply(calls: Iterable[Call], client: Callable[[str], Any]) -> None:
    """Make the calls in order, each with the boto3 client that `client` returns for its service.

    Raises:
        ApplyError: a call was refused; those before it stand.
    """
    for call in calls:
        try:
            getattr(client(call.service), call.operation)(**call.parameters)
        except (ClientError, BotoCoreError) as error:
            raise ApplyError(f"{call.resource}: {call.service}.{call.operation}: {error}") from error
