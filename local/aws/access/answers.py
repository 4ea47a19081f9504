"""Refuse a request in the wire format of its service, so that every SDK raises the error that it raises on AWS."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.aws.access.calls import Protocol


@dataclass(frozen=True)
class Refusal:
    """A whole answer that says no."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


# By service where it has a word of its own, else by protocol.
_DENIED: Final[Mapping[str, str]] = {
    "sqs": "AccessDenied",
    "sns": "AuthorizationError",
    "query": "AccessDenied",
    "rest-xml": "AccessDenied",
}
_UNKNOWN_KEY: Final[Mapping[str, tuple[str, str]]] = {
    "rest-xml": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
    "sqs": ("InvalidClientTokenId", "The security token included in the request is invalid."),
    "query": ("InvalidClientTokenId", "The security token included in the request is invalid."),
}
_UNKNOWN: Final = ("UnrecognizedClientException", "The security token included in the request is invalid.")
_UNSIGNED: Final = ("MissingAuthenticationToken", "Request is missing Authentication Token")


def denied(service: str, protocol: Protocol, message: str) -> Refusal:
    """Return the answer to a request that its caller may not make."""
    code = _DENIED.get(service) or _DENIED.get(protocol) or "AccessDeniedException"
    return _answer(service, protocol, code, message)


def unknown_key(service: str, protocol: Protocol) -> Refusal:
    """Return the answer to a request with a key, or a session's token, that was never given out."""
    code, message = _UNKNOWN_KEY.get(service) or _UNKNOWN_KEY.get(protocol) or _UNKNOWN
    return _answer(service, protocol, code, message)


def unsigned() -> Refusal:
    """Return the answer to a request that nobody signed."""
    return _answer("", "json", *_UNSIGNED)


def _answer(service: str, protocol: Protocol, code: str, message: str) -> Refusal:
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id)]
    match protocol:
        case "query":
            headers.append(("Content-Type", "text/xml"))
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            text = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
            return Refusal(403, headers, text.encode())
        case "rest-xml":
            headers.append(("Content-Type", "application/xml"))
            error = f"<Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId>"
            return Refusal(403, headers, f"<Error>{error}</Error>".encode())
        case "rest-json":
            headers += [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
            return Refusal(403, headers, json.dumps({"Message": message}).encode())
        case "cbor":
            headers += [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
            return Refusal(400, headers, _cbor({"__type": code, "message": message}))
        case "json":
            headers.append(("Content-Type", "application/x-amz-json-1.0"))
            if service == "sqs":  # whose errors keep the names that they had before it spoke JSON
                headers.append(("x-amzn-query-error", f"{code};Sender"))
            body = {"__type": f"com.amazon.coral.service#{code}", "message": message}
            return Refusal(403 if service == "sqs" else 400, headers, json.dumps(body).encode())


def _cbor(texts: Mapping[str, str]) -> bytes:
    """Encode a small map of texts: https://www.rfc-editor.org/rfc/rfc8949#section-3.1, major types 5 and 3."""
    encoded = bytes([0xA0 + len(texts)])
    for text in (part for pair in texts.items() for part in pair):
        raw = text.encode()
        encoded += b"\x79" + len(raw).to_bytes(2) + raw
    return encoded
