"""What a synchronous Lambda call answers, as the parts of the local stack hand it to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class FunctionNotFoundError(LookupError):
    """No function of that name or ARN is deployed in this stack."""


@dataclass(frozen=True)
class Invocation:
    """The end of one call: the response, or the error document and its kind.

    `function_error` is the value of Lambda's `X-Amz-Function-Error` header: None for a normal return, `Unhandled`
    for every failure (raised, timed out, exited); `payload` is then
    `{"errorMessage": …, "errorType": …, "stackTrace"?: […]}`.
    """

    payload: bytes
    function_error: str | None = None


class Invoker(Protocol):
    """Calls a function and waits for its end."""

    def __call__(self, function_name: str, payload: bytes) -> Invocation:
        """Return how the call of `function_name` (name or ARN) ended; raise FunctionNotFoundError."""
        ...
