"""One server for all tests of AWS in this process: moto's state is one for the process."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from boto3.session import Session
from botocore.config import Config

from local.aws import queues
from local.aws.server import AwsServer
from local.aws.time_scale import TimeScale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCALE = TimeScale(0.01)  # a visibility timeout of 30 passes in 0.3 s


@pytest.fixture(scope="session")
def server() -> Iterator[AwsServer]:
    """The server under test, on a port of its own."""
    server = AwsServer.start(time_scale=SCALE)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def aws(server: AwsServer) -> Iterator[Callable[[str], Any]]:
    """Make clients that call over HTTP, as any program outside does."""
    session = Session("local", "local", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32)
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = session.client(  # type: ignore[call-overload]  # not a literal
                service, endpoint_url=server.endpoint_url, config=config
            )
        return clients[service]

    yield client
    for made in clients.values():
        made.close()


@pytest.fixture(autouse=True)
def scaled() -> None:
    """The time scale is one for the process: a stack that another test started may have set its own."""
    queues.install(SCALE)


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses."""
    return f"{request.node.name[:30].split('[')[0]}-{uuid.uuid4().hex[:8]}"
