"""What the local Lambda service knows of a function, and what a process of it gets as its environment."""

from __future__ import annotations

import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.credentials import Credentials


@dataclass(frozen=True)
class FunctionConfig:
    """One function of the template: `name` is the physical one, `handler` is `module.attribute`."""

    name: str
    handler: str
    timeout_seconds: float = 3.0
    memory_mb: int = 128
    environment: Mapping[str, str] = field(default_factory=dict)
    maximum_concurrency: int | None = None
    role_arn: str = ""

    @property
    def function_id(self) -> str:
        """The name without its stack: a stack's name cannot hold `_`, so the first one ends it."""
        return self.name.partition("_")[2] or self.name


CredentialSource = Callable[[FunctionConfig], "Credentials"]


@dataclass(frozen=True)
class Sandbox:
    """Where every worker of this stack runs: its code, its logs, the AWS that it talks to and with which keys."""

    code_root: Path
    log_dir: Path
    endpoint_url: str
    region: str
    account: str
    credentials: CredentialSource

    def arn(self, function_name: str) -> str:
        """The function's ARN, as its context shows it."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{function_name}"

    def log_path(self, function: FunctionConfig) -> Path:
        """The one file that all workers of a function append to."""
        return self.log_dir / f"{function.function_id}.log"

    def environment(self, function: FunctionConfig, runtime_api: str) -> dict[str, str]:
        """All that a worker's process sees: the template's variables and Lambda's reserved ones.

        Nothing of the caller's environment is in it. HOME is a directory that holds no `.aws`, so a laptop's
        profile cannot decide what a function does either. Reserved names win, as AWS refuses them in a template.
        """
        interpreter = str(Path(sys.executable).parent)
        return {
            "PATH": f"{interpreter}:/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **function.environment,
            "HOME": tempfile.gettempdir(),
            "TZ": "UTC",
            "PYTHONPATH": str(self.code_root),
            "PYTHONUNBUFFERED": "1",
            "LAMBDA_TASK_ROOT": str(self.code_root),
            "_HANDLER": function.handler,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **self.credentials(function).environment,
        }
