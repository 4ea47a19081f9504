"""The `nightshift` command."""

from local.cli.app import main

__all__ = ["main"]
