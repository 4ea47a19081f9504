"""A secret in moto that this process is told to log in with, and that a test changes as a rotation does."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

from shared import aws
from shared.database import configure
from shared.settings import forget_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

REGION = "us-east-1"


@dataclass
class KeptSecret:
    """The secret; `reads` counts how often it was asked for."""

    arn: str
    reads: int = 0

    def put(self, value: Mapping[str, object]) -> None:
        """Make `value` what is read from now on."""
        boto3.client("secretsmanager").put_secret_value(SecretId=self.arn, SecretString=json.dumps(value))


@contextmanager
def kept_secret(monkeypatch: pytest.MonkeyPatch, value: Mapping[str, object]) -> Iterator[KeptSecret]:
    """Let the block find the database through a secret that holds `value`, as a deployed function does."""
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
    with mock_aws(), monkeypatch.context() as environment:
        for name, text in variables.items():
            environment.setenv(name, text)
        secret = KeptSecret(boto3.client("secretsmanager").create_secret(Name="database", SecretString="{}")["ARN"])
        environment.setenv("DATABASE_SECRET_ARN", secret.arn)
        forget_everything()
        secret.put(value)
        aws.client("secretsmanager").meta.events.register(
            "before-parameter-build.secretsmanager.GetSecretValue", lambda **_: _count(secret)
        )
        yield secret
    forget_everything()


def forget_everything() -> None:
    """Know as much as a process that has just started."""
    forget_environment()
    aws.forget_clients()
    configure(None)


def _count(secret: KeptSecret) -> None:
    secret.reads += 1
