"""The local stack: the template's resources, functions and schedules, all in and below this process."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final, Self

from local import permissions, schedule_delivery
from local.aws import bus, queues, state_machines
from local.aws.access.credentials import ADMINISTRATOR
from local.aws.access.identities import Identities
from local.aws.buckets import Buckets
from local.aws.server import AwsServer
from local.aws.time_scale import TimeScale
from local.data_dir import lock
from local.front import Front
from local.lambda_service.event_sources import EventSourcePoller
from local.lambda_service.service import IDLE_SECONDS, LambdaService
from local.schedules import ScheduleRunner
from local.template.apply import apply
from local.template.deployment import Deployment, expand
from local.template.document import read_document
from local.template.placement import Placement
from local.template.registry import as_text
from shared import garbage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from local.postgres import Database

ROOT: Final = Path(__file__).resolve().parent.parent
STACK_NAME: Final = "nightshift"
SECRET_PARAMETER: Final = "DatabaseSecretArn"  # noqa: S105 (the name of the template's parameter)
CALLS_LIMIT_SECONDS: Final = 3.0  # how long calls that run may hold up the stack's end


@dataclass(frozen=True)
class Options:
    """What a stack is made of and where it listens.

    Attributes:
        template: the SAM template; functions' code is found from its directory.
        data_dir: where logs, the database and `env` are kept.
        port: of the front on 127.0.0.1; 0 takes a free one.
        workers: at most so many processes per function.
        time_scale: shortens visibility timeouts, back-offs and deadlines, for tests.
        database_url: a PostgreSQL to use instead of the embedded one.
        idle_seconds: a worker that had no call for so long is stopped; the next call starts another.
    """

    template: Path = ROOT / "template.yaml"
    data_dir: Path = Path(".nightshift")
    port: int = 8288
    workers: int = 4
    time_scale: float = 1.0
    database_url: str | None = None
    idle_seconds: float = IDLE_SECONDS


class LocalStack:
    """A running stack; use `start` and `stop`, or `with`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.data_dir = options.data_dir.resolve()
        self.started_in = 0.0  # seconds from start to ready
        self._open = ExitStack()
        self._scale = TimeScale(options.time_scale)
        self.aws: AwsServer
        self.front: Front
        self.functions: LambdaService
        self.deployment: Deployment
        self.database: Database | None = None

    @classmethod
    def start(cls, options: Options) -> Self:
        """Start everything and return when the stack is ready.

        Raises:
            AlreadyRunningError: another process runs a stack on the same directory.
            TemplateError: the template cannot be run here.
            OSError: the port is taken.
        """
        began = perf_counter()
        garbage.hold()
        stack = cls(options)
        try:
            stack._start()
        except BaseException:
            stack.stop()
            raise
        finally:
            garbage.resume()
        stack.started_in = perf_counter() - began
        return stack

    def stop(self) -> None:
        """Stop everything, last started first. Ledger and queues are gone with the process; the database stays."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def env(self) -> dict[str, str]:
        """What an application on this machine needs to use the stack with plain boto3; `.nightshift/env` holds it."""
        placement = self.deployment.placement
        known = {
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_DEFAULT_REGION": placement.region,
            "AWS_REGION": placement.region,
            "AWS_ACCESS_KEY_ID": ADMINISTRATOR.access_key_id,
            "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR.secret_access_key,
            "EVENT_BUS_NAME": placement.stack_name,
            "NIGHTSHIFT_STACK": placement.stack_name,
            "NIGHTSHIFT_URL": self.front.url,
        }
        return known | ({"DATABASE_URL": self.database.credentials.url} if self.database else {})

    def _start(self) -> None:
        (self.data_dir / "logs").mkdir(parents=True, exist_ok=True)
        self._open.enter_context(lock(self.data_dir))
        self._forget_told()  # a stack that was killed leaves an `env` that leads nowhere
        needs_database = SECRET_PARAMETER in read_document(self.options.template).get("Parameters", {})
        with ThreadPoolExecutor(1, "database") as side:
            # the slowest part of a first start: it runs beside the rest
            opening = side.submit(self._open_database) if needs_database else None
            self._start_aws()
            self._provision(opening)
        self._start_functions()
        self._start_schedules()
        self.front = Front.start(self.options.port, self.functions)
        self._open.callback(self.front.stop)
        self._tell()

    def _open_database(self) -> Database:
        from local.postgres import open_database  # noqa: PLC0415 (SQLAlchemy's import, beside the stack's start)

        database = open_database(self.data_dir / "postgres", self.options.database_url)
        self._open.callback(database.stop)
        from shared.database.migrate import upgrade  # noqa: PLC0415 (Alembic's import, beside the stack's start)

        upgrade(database.credentials.url)
        return database

    def _start_aws(self) -> None:
        self.aws = AwsServer.start(time_scale=self._scale)
        self._open.callback(self.aws.stop)
        state_machines.install(
            invoke=self._invoke,
            publish=bus.publish_service_event,
            time_scale=self._scale,
            check_invoke=self._check_invoke,
        )

    def _invoke(self, function_name: str, payload: bytes) -> Any:
        return self.functions(function_name, payload)

    def _check_invoke(self, role_arn: str, function_name: str) -> None:
        permissions.check_invoke(role_arn, self.functions.arn(function_name))

    def _provision(self, opening: Future[Database] | None) -> None:
        placement = Placement(STACK_NAME, endpoint_url=self.aws.endpoint_url)
        parameters = {}
        if opening is not None:
            secrets = self.aws.client("secretsmanager")
            parameters[SECRET_PARAMETER] = secrets.create_secret(Name=f"{STACK_NAME}/database")["ARN"]
        self.deployment = expand(self.options.template, placement, parameters)
        apply(self.deployment.calls, self._provisioner)
        if opening is not None:
            self.database = opening.result()
            value = json.dumps(self.database.credentials.secret)
            secrets.put_secret_value(SecretId=parameters[SECRET_PARAMETER], SecretString=value)

    def _provisioner(self, service: str) -> Any:
        if service == "iam":
            return Identities(self.deployment.placement.account_id)
        return Buckets() if service == "s3" else self.aws.client(service)

    def _start_functions(self) -> None:
        placement = self.deployment.placement
        sessions = permissions.open_sessions(self.deployment)
        permissions.check_roles(self.deployment)
        self.functions = LambdaService(
            self.deployment.functions,
            code_root=self.options.template.resolve().parent,
            log_dir=self.data_dir / "logs",
            endpoint_url=self.aws.endpoint_url,
            region=placement.region,
            account=placement.account_id,
            credentials=lambda function: sessions[function.name],
            max_workers=self.options.workers,
            time_scale=self._scale,
            idle_seconds=self.options.idle_seconds,
        )
        self.functions.start()
        self._open.callback(self.functions.stop)
        pollers = [
            EventSourcePoller(
                mapping,
                queues.find_queue(mapping.queue_arn),
                self.functions,
                workers=self.functions.concurrency(mapping.function_name),
                time_scale=self._scale,
            )
            for mapping in self.deployment.event_source_mappings
        ]
        self._open.callback(stop_polling, pollers)
        for poller in pollers:
            poller.start()

    def _tell(self) -> None:
        """Write what the command line and applications need to find the stack; `env` last, it says "ready"."""
        self._open.callback(self._forget_told)
        (self.data_dir / "registry.json").write_text(as_text(self.deployment.registry))
        partial = self.data_dir / "env.partial"
        partial.touch(mode=0o600)
        partial.write_text("".join(f"{name}={value}\n" for name, value in self.env.items()))
        partial.replace(self.data_dir / "env")

    def _forget_told(self) -> None:
        for name in ("env", "env.partial", "registry.json"):
            (self.data_dir / name).unlink(missing_ok=True)

    def _start_schedules(self) -> None:
        runner = ScheduleRunner(self.deployment.schedules, schedule_delivery.send)
        runner.start()
        self._open.callback(runner.stop)


def stop_polling(pollers: Sequence[EventSourcePoller]) -> None:
    """Receive nothing more and let the calls that run end, all within one limit: then their workers are killed.

    A limit for each would add up to more than a user waits; the queues are gone with the process anyway.
    """
    end = monotonic() + CALLS_LIMIT_SECONDS
    for poller in pollers:
        poller.stop(0.0)
    for poller in pollers:
        poller.stop(max(0.0, end - monotonic()))
