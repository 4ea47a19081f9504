"""AWS clients: made at first use, one per service and process."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from shared import garbage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_stepfunctions import SFNClient

# A route that is missing from a VPC must be an error within a call's time, not a hang to the deadline.
CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 10
# The inbox redelivers and a state machine retries: the client only rides out a single hiccup.
TOTAL_MAX_ATTEMPTS = 3
# The services of each message: their calls are the engine's, checked by mypy against AWS's own types. Checking their
# parameters again, and composing a user agent for each call, is a third of a call's CPU.
TYPED = frozenset({"dynamodb", "events", "sqs", "stepfunctions"})

_making = Lock()  # botocore's loader and session are not safe while clients are made side by side


@overload
def client(service: Literal["dynamodb"]) -> DynamoDBClient: ...
@overload
def client(service: Literal["events"]) -> EventBridgeClient: ...
@overload
def client(service: Literal["s3"]) -> S3Client: ...
@overload
def client(service: Literal["scheduler"]) -> EventBridgeSchedulerClient: ...
@overload
def client(service: Literal["secretsmanager"]) -> SecretsManagerClient: ...
@overload
def client(service: Literal["sqs"]) -> SQSClient: ...
@overload
def client(service: Literal["ssm"]) -> SSMClient: ...
@overload
def client(service: Literal["stepfunctions"]) -> SFNClient: ...
def client(service: str) -> Any:
    """Return this process's client for `service`; region, endpoint and credentials are the environment's."""
    with _making:
        return _make(service)


@cache
def _make(service: str) -> Any:
    from botocore.config import Config  # noqa: PLC0415 (150 ms that a call which needs no AWS client should not pay)

    config = Config(
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        retries={"total_max_attempts": TOTAL_MAX_ATTEMPTS, "mode": "standard"},
        parameter_validation=service not in TYPED,
        user_agent="nightshift",
    )
    made = session().create_client(service, config=config)
    garbage.resume()  # a function has imported what it needs when it makes its first client
    return made


@cache
def session() -> Session:
    """Return what this process's clients are made by; what is registered for its events, later clients inherit."""
    # Not boto3's, which imports its resources and S3's transfers first.
    from shared.aws_session import make_session  # noqa: PLC0415 (as above)

    return make_session()


def forget_clients() -> None:
    """Drop the clients made so far: for a process whose environment changes, as a test's does."""
    _make.cache_clear()
    session.cache_clear()


def refused_item(error: ClientError) -> Mapping[str, Any]:
    """Return the DynamoDB item whose state refused a conditional write; empty where there is none.

    The write asked for it: `ReturnValuesOnConditionCheckFailure="ALL_OLD"`.
    """
    item: Mapping[str, Any] = cast("dict[str, Any]", error.response).get("Item", {})  # not in its type
    return item
