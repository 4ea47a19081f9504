"""What the operations need whose request names its resource in a parameter, and those without a resource.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from moto.secretsmanager.models import secretsmanager_backends

from local.aws.access.needs.need import Need, on_everything, on_parameter
from local.aws.access.needs.senders import sender_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import ApiCall
    from local.aws.access.needs.need import Rule


def _parameter(call: ApiCall, name: str) -> str:
    """Return the ARN of an SSM parameter, whose name may end in a version or a label and begin with a slash."""
    if name.startswith("arn:"):
        return name
    return call.arn(f"parameter/{name.partition(':')[0].removeprefix('/')}")


def _ssm(operation: str) -> Rule:
    def rule(call: ApiCall) -> list[Need]:
        given = call.parameters
        names = given.get("Names") or [given.get("Name") or given.get("Path") or ""]
        return [Need(f"ssm:{operation}", _parameter(call, str(name))) for name in names]

    return rule


def _secret(operation: str) -> Rule:
    """Evaluate a request by name on the secret's own ARN, which ends in six characters that nobody chose."""

    def rule(call: ApiCall) -> list[Need]:
        given = str(call.parameters.get("SecretId", ""))
        secret = secretsmanager_backends[call.account][call.region].secrets.get(given)
        return [Need(f"secretsmanager:{operation}", secret.arn if secret else _secret_arn(call, given))]

    return rule


def _secret_arn(call: ApiCall, given: str) -> str:
    return given if given.startswith("arn:") else call.arn(f"secret:{given}")


def _log_group(operation: str, resource: str) -> Rule:
    def rule(call: ApiCall) -> list[Need]:
        group = call.parameters.get("logGroupName") or call.parameters.get("logGroupIdentifier") or ""
        stream = call.parameters.get("logStreamName") or ""
        name = str(group).removesuffix(":*").rpartition("log-group:")[2]
        return [Need(f"logs:{operation}", call.arn(resource.format(group=name, stream=stream)))]

    return rule


def _send_email(action: str) -> Rule:
    return lambda call: [Need(action, call.arn(f"identity/{sender_of(call)}"))]


_MACHINE: Final = ("DescribeStateMachine", "ListExecutions", "StartExecution", "StartSyncExecution")
_EXECUTION: Final = ("DescribeExecution", "GetExecutionHistory", "RedriveExecution", "StopExecution")
_TOKEN: Final = ("SendTaskFailure", "SendTaskHeartbeat", "SendTaskSuccess")
_SSM: Final = (
    "DeleteParameter", "GetParameter", "GetParameterHistory", "GetParameters", "GetParametersByPath", "PutParameter",
)  # fmt: skip
_SECRET: Final = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecret")
_STREAM: Final = "log-group:{group}:log-stream:{stream}"

OPERATIONS: Final[Mapping[str, Mapping[str, Rule]]] = {
    "states": {
        **{operation: on_parameter(f"states:{operation}", "stateMachineArn") for operation in _MACHINE},
        **{operation: on_parameter(f"states:{operation}", "executionArn") for operation in _EXECUTION},
        **{operation: on_everything(f"states:{operation}") for operation in (*_TOKEN, "ListStateMachines")},
    },
    "ssm": {
        **{operation: _ssm(operation) for operation in _SSM},
        "DescribeParameters": on_everything("ssm:DescribeParameters"),
    },
    "secretsmanager": {
        **{operation: _secret(operation) for operation in _SECRET},
        "GetRandomPassword": on_everything("secretsmanager:GetRandomPassword"),
        "ListSecrets": on_everything("secretsmanager:ListSecrets"),
    },
    "logs": {
        "CreateLogGroup": _log_group("CreateLogGroup", "log-group:{group}"),
        "CreateLogStream": _log_group("CreateLogStream", "log-group:{group}"),
        "FilterLogEvents": _log_group("FilterLogEvents", "log-group:{group}"),
        "GetLogEvents": _log_group("GetLogEvents", _STREAM),
        "PutLogEvents": _log_group("PutLogEvents", _STREAM),
    },
    "ses": {
        "SendEmail": _send_email("ses:SendEmail"),
        "SendRawEmail": _send_email("ses:SendRawEmail"),
        "SendTemplatedEmail": _send_email("ses:SendTemplatedEmail"),
    },
    "monitoring": {
        operation: on_everything(f"cloudwatch:{operation}")
        for operation in ("GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricData")
    },
    "sts": {"GetCallerIdentity": lambda _: []},  # nobody can be denied to learn who they are
}
