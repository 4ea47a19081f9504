"""An AWS server on loopback with the state machines in it, one for all tests of this room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from local.aws.server import AwsServer
from local.aws.state_machines import install
from local.aws.time_scale import TimeScale
from tests.local.aws.state_machines.machines import Bus, Functions, Machines

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    install(invoke=Functions(), publish=Bus(), time_scale=TimeScale())
    server = AwsServer.start()
    yield server.endpoint_url
    server.stop()


@pytest.fixture(scope="session")
def client(endpoint: str) -> Iterator[Any]:
    states = boto3.client(
        "stepfunctions",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(max_pool_connections=50, retries={"total_max_attempts": 1}),
    )
    yield states
    states.close()


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def machines(client: Any, functions: Functions, bus: Bus) -> Machines:
    install(invoke=functions, publish=bus, time_scale=TimeScale(0.02))
    return Machines(client=client, bus=bus, functions=functions)
