"""Read from an HTTP request which operation of which AWS service it asks for, and with whose key."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qs

from moto.core import DEFAULT_ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

Protocol = Literal["json", "query", "rest-json", "rest-xml", "cbor"]

_SCOPE: Final = re.compile(r"Credential=([^/,\s]+)/\d+/([^/,]+)/([^/,]+)/aws4_request")
_PRESIGNED_SCOPE: Final = re.compile(r"([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_CBOR_PATH: Final = re.compile(r"/service/\w+/operation/(\w+)")


@dataclass(frozen=True)
class Signature:
    """With whose key a request is signed, and for which service (its signing name) of which region."""

    access_key_id: str
    session_token: str | None
    region: str
    service: str


@dataclass(frozen=True)
class ApiCall:
    """One request, as far as its permission depends on it.

    `operation` is the API's name, `""` where only method and path say it. `parameters` are the operation's own, empty
    where the body is none that the protocol allows: moto then refuses the request in the service's words.
    """

    service: str
    operation: str
    protocol: Protocol
    region: str = "us-east-1"
    account: str = DEFAULT_ACCOUNT_ID
    method: str = "POST"
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    copy_source: str = ""
    body: bytes = b""

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What the request gives by name."""
        if self.protocol == "query":
            return dict(self.query)
        if self.protocol not in {"json", "rest-json"} or not self.body:
            return {}
        try:
            given = json.loads(self.body)
        except ValueError:
            return {}
        return given if isinstance(given, dict) else {}

    def arn(self, resource: str, *, service: str = "") -> str:
        """Return the ARN of a resource of this account and region."""
        return f"arn:aws:{service or self.service}:{self.region}:{self.account}:{resource}"


def read_signature(environ: Mapping[str, Any]) -> Signature | None:
    """Return with what a request is signed, in its headers or, presigned, in its query; None for an unsigned one."""
    match = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match is not None:
        return Signature(match[1], environ.get("HTTP_X_AMZ_SECURITY_TOKEN"), match[2], match[3])
    query = _query(environ.get("QUERY_STRING", ""))
    if "AWSAccessKeyId" in query:  # how boto3 presigns S3's URLs unless it is told otherwise, in a scheme of S3's own
        return Signature(query["AWSAccessKeyId"], query.get("x-amz-security-token"), "us-east-1", "s3")
    match = _PRESIGNED_SCOPE.fullmatch(query.get("X-Amz-Credential", ""))
    return Signature(match[1], query.get("X-Amz-Security-Token"), match[2], match[3]) if match else None


def read_call(environ: dict[str, Any], signature: Signature) -> ApiCall:
    """Return the call that a request makes; what it reads of the body stays readable for who serves it."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target is not None:  # nearly every request is one
        operation = target.rpartition(".")[2]
        return ApiCall(signature.service, operation, "json", signature.region, body=_body(environ))
    path, method = environ.get("PATH_INFO", "/"), environ["REQUEST_METHOD"]
    protocol, operation, query, body = _protocol(environ, signature.service, path)
    return ApiCall(
        signature.service,
        operation,
        protocol,
        signature.region,
        method=method,
        path=path.encode("latin-1").decode("utf-8", "replace"),  # as PEP 3333 hides it
        query=query,
        copy_source=environ.get("HTTP_X_AMZ_COPY_SOURCE", ""),
        body=body,
    )


def _protocol(environ: dict[str, Any], service: str, path: str) -> tuple[Protocol, str, dict[str, str], bytes]:
    query = _query(environ.get("QUERY_STRING", ""))
    cbor = _CBOR_PATH.fullmatch(path)
    if cbor is not None:
        return "cbor", cbor[1], query, b""
    if service == "s3":
        return "rest-xml", "", query, _body(environ) if "delete" in query else b""
    body = _body(environ)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        query |= _query(body.decode("utf-8", "replace"))
    if "Action" in query:
        return "query", query["Action"], query, b""
    return "rest-json", "", query, body


def _query(text: str) -> dict[str, str]:
    if not text:
        return {}
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}


def _body(environ: dict[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
