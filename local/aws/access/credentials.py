"""The keys with which the local AWS is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Credentials:
    """An access key; only a role's session has a token."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which the SDKs look for them."""
        named = {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }
        return {name: value for name, value in named.items() if value is not None}


# Whoever uses the stack from outside, and the stack itself: the account's administrator, who may do everything.
ADMINISTRATOR: Final = Credentials("local", "local")
