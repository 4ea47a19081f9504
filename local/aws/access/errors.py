"""What is raised for those who may not do what they want to do."""

from __future__ import annotations


class AccessDeniedError(Exception):
    """No policy allows a request, or one denies it; the text is AWS's."""


class RoleError(AccessDeniedError):
    """A role does not exist, or whoever wants to act as it is not trusted with it."""
