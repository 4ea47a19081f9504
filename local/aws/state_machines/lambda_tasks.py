# ruff: noqa: SLF001 - a shim takes the place of moto's private methods
"""Call functions from Task states directly, and name their errors as Step Functions does."""

from __future__ import annotations

import json
import logging
import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.api import (
    HistoryEventType,
    LambdaFunctionFailedEventDetails,
    TaskFailedEventDetails,
)
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

from local.aws.access.errors import AccessDeniedError
from local.aws.invocation import FunctionNotFoundError
from local.aws.state_machines.wiring import wired

if TYPE_CHECKING:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

logger = logging.getLogger(__name__)


class LambdaRefusedError(Exception):
    """Lambda did not run the function: the invoker raises it with the service's own error code.

    `code` as Lambda's API names it, e.g. TooManyRequestsException; Step Functions reports `Lambda.<code>`.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def call_functions_directly() -> None:
    """Call the stack's functions by `invoke`, for `lambda:invoke` and for a function's ARN as the resource.

    moto 5.2.5: `lambda_eval_utils` makes a boto3 client for each call and goes by HTTP to moto's own Lambda, which
    runs functions in Docker only.
    """
    lambda_eval_utils.execute_lambda_function_integration = _invoke


def name_errors_as_lambda_does() -> None:
    """Report a function's error by its type, and Lambda's own as `Lambda.…`, for both kinds of resource.

    moto 5.2.5: an error document without errorType is `Exception` (AWS: Lambda.Unknown), and so is every error of
    Lambda itself where the resource is a function's ARN.
    """
    for task, failure in ((StateTaskServiceLambda, _task_failure), (StateTaskLambda, _function_failure)):
        task._from_error = _named(task._from_error, failure)


def _invoke(env: Environment, parameters: dict[str, Any], **_moto: Any) -> None:
    try:
        wired().check_invoke(env.aws_execution_details.role_arn, parameters["FunctionName"])
        invocation = wired().invoke(parameters["FunctionName"], parameters.get("Payload") or b"{}")
    except FunctionNotFoundError as error:
        raise _client_error("ResourceNotFoundException", str(error) or "Function not found", 404) from error
    except AccessDeniedError as error:
        raise _client_error("AWSLambdaException", str(error), 403) from error
    except LambdaRefusedError as error:
        raise _client_error(error.code, str(error), error.status) from error
    except Exception as error:
        logger.exception("the local Lambda service failed")
        raise _client_error("ServiceException", f"{type(error).__name__}: {error}", 500) from error
    if invocation.function_error is not None:
        raise lambda_eval_utils.LambdaFunctionErrorException(
            invocation.function_error, invocation.payload.decode("utf-8", "replace")
        )
    env.stack.append(_result(invocation.payload))


def _result(payload: bytes) -> dict[str, Any]:
    request_id = str(uuid.uuid4())
    headers = {"Content-Type": "application/json", "Content-Length": str(len(payload)), "x-amzn-RequestId": request_id}
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": json.loads(payload) if payload else None,
        "SdkHttpMetadata": {
            "AllHttpHeaders": {name: [value] for name, value in headers.items()},
            "HttpHeaders": headers,
            "HttpStatusCode": 200,
        },
        "SdkResponseMetadata": {"RequestId": request_id},
        "StatusCode": 200,
    }


def _client_error(code: str, message: str, status: int) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status, "RequestId": str(uuid.uuid4())}
    return ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, "Invoke")


def _named(from_error: Any, failure: Any) -> Any:
    def from_named_error(self: Any, env: Environment, ex: Exception) -> Any:
        if isinstance(ex, lambda_eval_utils.LambdaFunctionErrorException):
            return failure(self, env, _error_type(ex.payload), ex.payload)
        if isinstance(ex, ClientError):
            error, cause = StateTaskServiceLambda._error_cause_from_client_error(ex)
            return failure(self, env, error, cause)
        return from_error(self, env=env, ex=ex)

    return from_named_error


def _error_type(document: str) -> str:
    try:
        error_type = json.loads(document)["errorType"]
    except (ValueError, TypeError, KeyError):
        return "Lambda.Unknown"
    return str(error_type) or "Lambda.Unknown"


def _task_failure(self: Any, env: Environment, error: str, cause: str) -> Any:
    details = TaskFailedEventDetails(
        error=error, cause=cause, resource=self._get_sfn_resource(), resourceType=self._get_sfn_resource_type()
    )
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.TaskFailed,
        event_details=EventDetails(taskFailedEventDetails=details),
    )


def _function_failure(_task: Any, env: Environment, error: str, cause: str) -> Any:
    details = LambdaFunctionFailedEventDetails(error=error, cause=cause)
    return FailureEvent(
        env=env,
        error_name=CustomErrorName(error),
        event_type=HistoryEventType.LambdaFunctionFailed,
        event_details=EventDetails(lambdaFunctionFailedEventDetails=details),
    )
