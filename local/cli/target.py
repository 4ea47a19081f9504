"""Whom a command talks to: the local stack, or a stack on AWS with the same resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

import boto3
import typer
from botocore.config import Config

from local.cli.errors import CommandError
from local.data_dir import running_pid

REGISTRY: Final = Path(__file__).resolve().parents[2] / "shared" / "registry.json"

StackOption = Annotated[str, typer.Option("--stack", help="A stack on AWS instead of the local one.")]
ProfileOption = Annotated[str, typer.Option("--profile", help="The AWS profile to use with --stack.")]
RegionOption = Annotated[str, typer.Option("--region", help="The AWS region to use with --stack.")]
DataDirOption = Annotated[Path, typer.Option("--data-dir", help="Where the local stack keeps its state.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DATA_DIR: Final = Path(".nightshift")


@dataclass(frozen=True)
class Target:
    """One stack and how its AWS is reached."""

    stack: str
    session: boto3.Session
    endpoint_url: str | None = None
    lambda_url: str | None = None
    registry_path: Path = REGISTRY

    def client(self, service: str) -> Any:
        """Return a boto3 client for the target's AWS."""
        url = self.lambda_url if service == "lambda" else self.endpoint_url
        config = Config(retries={"mode": "standard"}, read_timeout=910)
        return self.session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload] # any service

    @property
    def bus(self) -> str:
        """The event bus's name."""
        return self.stack

    @property
    def ledger_table(self) -> str:
        """The ledger's name."""
        return f"{self.stack}_ledger"

    def name(self, function: str) -> str:
        """Return the physical name of `function`'s Lambda, inbox and state machine."""
        return f"{self.stack}_{function}"

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Which events and schedules wake which functions of this stack, by their ids."""
        return registry(self.registry_path)

    def known(self, function: str) -> str:
        """Return `function` if the stack has one of that id; raise CommandError with those that there are."""
        return known(function, self.functions)

    @cached_property
    def account(self) -> str:
        """The account's number."""
        return str(self.client("sts").get_caller_identity()["Account"])

    def execution_arn(self, function: str, run: str) -> str:
        """Return the ARN of the execution of a workflow's run."""
        machine = self.name(function)
        return f"arn:aws:states:{self.session.region_name}:{self.account}:execution:{machine}:{run}"


def find_target(data_dir: Path, stack: str = "", profile: str = "", region: str = "") -> Target:
    """Return the stack on AWS that is named, else the one that runs on `data_dir`.

    Raises:
        CommandError: no stack runs there.
    """
    if stack:
        return Target(stack, boto3.Session(profile_name=profile or None, region_name=region or None))
    env = read_env(data_dir)
    session = boto3.Session(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], region_name=env["AWS_REGION"])
    # a stack of another template (`dev --template`) has other functions than those that ship
    own_registry = data_dir / "registry.json"
    return Target(env["NIGHTSHIFT_STACK"], session, env["AWS_ENDPOINT_URL"], env["NIGHTSHIFT_URL"], own_registry)


def read_env(data_dir: Path) -> dict[str, str]:
    """Return what the running local stack wrote for applications; raise CommandError when none runs."""
    if running_pid(data_dir) is None:
        raise CommandError(f"no local stack runs on {data_dir}: start one with `nightshift dev --detach`")
    try:
        lines = (data_dir / "env").read_text().splitlines()
    except FileNotFoundError:
        raise CommandError(f"the local stack on {data_dir} is not ready yet") from None
    return dict(line.split("=", 1) for line in lines if "=" in line)


def registry(path: Path = REGISTRY) -> dict[str, dict[str, Any]]:
    """Return which events and schedules wake which functions: of the template that ships, unless told otherwise."""
    functions: dict[str, dict[str, Any]] = json.loads(path.read_text())["functions"]
    return functions


def known(function: str, functions: Mapping[str, Any]) -> str:
    """Return `function` if it is one of `functions`; raise CommandError with those that there are."""
    if function not in functions:
        raise CommandError(f"no function {function!r}: there are {', '.join(sorted(functions))}")
    return function
