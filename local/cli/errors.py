"""What a command tells the user when it cannot do what it was asked."""

from __future__ import annotations


class CommandError(Exception):
    """One line for the user; the command ends with exit code 1."""
