"""What is wrong with a template, in one line for whoever wrote it."""

from __future__ import annotations


class TemplateError(ValueError):
    """The template cannot be expanded; the message names the place and what was expected there."""
