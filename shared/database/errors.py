"""What is raised when the database does not do its part, and how its own codes are read."""

from __future__ import annotations


class DatabaseUnavailableError(Exception):
    """The database cannot be reached, refuses us or went away; trying again later may help."""


class LoginRefusedError(DatabaseUnavailableError):
    """The database does not accept the login; during a rotation of the secret a newer one may be accepted."""


def code_in(error: BaseException | None) -> str:
    """Return PostgreSQL's five-character code in an error of pg8000's, or "" when it came from elsewhere."""
    details = error.args[0] if error is not None and error.args else None
    return str(details.get("C", "")) if isinstance(details, dict) else ""
