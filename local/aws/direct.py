"""Hand a JSON request straight to the class of moto that answers it."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError
from moto import backends
from moto.core import responses
from moto.core.request import Request
from moto.dynamodb.responses import DynamoHandler

from local.aws.tables import plain

if TYPE_CHECKING:
    from collections.abc import Callable

# By the first part of X-Amz-Target: the services that a running job calls again and again.
_HANDLERS: Final = {
    "DynamoDB_20120810": ("moto.dynamodb.responses", "DynamoHandler"),
    "AmazonSQS": ("moto.sqs.responses", "SQSResponse"),
    "AWSEvents": ("moto.events.responses", "EventsHandler"),
    "AWSStepFunctions": ("moto.stepfunctions.responses", "StepFunctionResponse"),
}
# What only a browser sends: moto's application adds headers for it.
_GENERAL: Final = ("HTTP_ORIGIN", "HTTP_CONTENT_ENCODING")


class ServedRequest(Request):  # type: ignore[misc]  # moto ships no types
    """A request as moto's own server hands it on."""

    from_wsgi_server = True


@cache
def install() -> None:
    """Look a service's operations, and the services themselves, up once.

    moto 5.2.5: each request inspects its handler's class for the names of its methods, 0.04 to 0.1 ms; one that does
    not come directly asks the file system 390 times which services there are, 0.2 to 10 ms.
    """
    responses.method_names_from_class = cache(responses.method_names_from_class)
    services = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: services


def handler_of(environ: dict[str, Any]) -> type[Any] | None:
    """Return the class that answers a signed JSON request to one of the busy services; None for every other request.

    moto 5.2.5: a request goes through a search over all of AWS's services and through Flask before it reaches this
    class, 0.6 ms together; neither adds anything to a request that names its service and operation in a header.
    """
    prefix = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0]
    if prefix not in _HANDLERS or environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] != "/":
        return None
    if "HTTP_AUTHORIZATION" not in environ or any(name in environ for name in _GENERAL):
        return None
    return _handler(prefix)


def answer(handler: type[Any], environ: dict[str, Any]) -> Answered:
    """Return status, headers and body of what the handler answers, as moto's application would send them."""
    shorter = _SHORTER.get(handler)
    if shorter is not None and (plain := shorter(environ)) is not None:
        return plain
    try:
        answered = handler.dispatch(ServedRequest(environ))
    except ClientError as error:
        answered = 400, {}, error.response["Error"]["Message"]
    status, headers, body = answered if len(answered) == 3 else (200, {}, answered)
    sent = {"Content-Type": environ.get("CONTENT_TYPE", ""), **{name: str(value) for name, value in headers.items()}}
    return int(status), list(sent.items()), body.encode() if isinstance(body, str) else body


Answered = tuple[int, list[tuple[str, str]], bytes]
_SHORTER: Final[dict[type[Any], Callable[[dict[str, Any]], Answered | None]]] = {DynamoHandler: plain.answer}


@cache
def _handler(prefix: str) -> type[Any]:
    module, name = _HANDLERS[prefix]
    handler: type[Any] = getattr(importlib.import_module(module), name)
    return handler
