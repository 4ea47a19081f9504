"""An AWS that answers at once, and a watch that tells the caller's own CPU from what its AWS calls take.

The double sits where botocore would send a request (`before-send`), so that all of botocore's own work is real:
serializing, signing, parsing. The watch stops from a call's first event (`provide-client-params`) to its last one
(`after-call`), and counts the calls.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from botocore.awsrequest import AWSResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADERS: Final[Any] = {
    "content-type": "application/x-amz-json-1.0",
    "x-amzn-requestid": "00000000-0000-0000-0000-000000000000",
}


class Body(BytesIO):
    """A response's body as urllib3 gives it."""

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        """Return all of it as one piece."""
        return [self.read()]


@dataclass
class AwsDouble:
    """What `clients` call until the end of the process; `answers` by operation, where the empty one will not do."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    cpu_ns: int = 0
    _began: int = 0

    def watch(self, client: Any) -> None:
        """Answer `client`'s calls and count them."""
        events, service = client.meta.events, client.meta.service_model.service_id.hyphenize()
        events.register_first(f"provide-client-params.{service}", self._begin)
        events.register_last(f"after-call.{service}", self._end)
        events.register(f"before-send.{service}", self._answer)

    def reset(self) -> None:
        """Count from nothing again."""
        self.calls.clear()
        self.cpu_ns = 0

    def _begin(self, model: Any, **_: Any) -> None:
        self._began = time.thread_time_ns()
        self.calls[model.name] += 1

    def _end(self, **_: Any) -> None:
        self.cpu_ns += time.thread_time_ns() - self._began

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        body = json.dumps(self.answers.get(event_name.rpartition(".")[2], {})).encode()
        return AWSResponse(request.url, 200, HEADERS, Body(body))
