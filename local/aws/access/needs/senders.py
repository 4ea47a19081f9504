"""Under which verified identity SES sends a mail, which is the resource that the sender must be allowed.

https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html: an address that is verified itself, else its domain.
"""

from __future__ import annotations

import base64
import binascii
from email import message_from_bytes
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.aws.access.calls import ApiCall


def sender_of(call: ApiCall) -> str:
    """Return the identity: an address or a domain."""
    from moto.ses.models import ses_backends  # noqa: PLC0415 (70 ms that only a mail is worth)

    given = call.parameters
    content: Any = given.get("Content") or {}
    raw = given.get("RawMessage.Data") or (content.get("Raw") or {}).get("Data")
    sender = given.get("Source") or given.get("FromEmailAddress") or (_from_header(raw) if raw else "")
    address = parseaddr(str(sender))[1]
    if address in ses_backends[call.account][call.region].email_identities:
        return address
    return address.rpartition("@")[2].lower()


def _from_header(data: str) -> str:
    try:
        return str(message_from_bytes(base64.b64decode(data)).get("From", ""))
    except (binascii.Error, ValueError):
        return ""
