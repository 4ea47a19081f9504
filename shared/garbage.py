"""Collect no garbage during a cold start, in which imports make 100,000 objects that stay.

Python's collector would walk through them again and again, for a tenth of a function's cold start. Held means "rarely",
not "never": a process that makes no AWS client, as a test or the command line, stays bounded all the same.
"""

from __future__ import annotations

import gc
from typing import Final

RARELY: Final = 250_000  # objects between collections: more than any function imports, some ten megabytes of garbage
_usual: Final = gc.get_threshold()


def hold() -> None:
    """Let the collector run rarely, until `resume`."""
    gc.set_threshold(RARELY, *_usual[1:])


def resume() -> None:
    """Let it run as usual again, and leave alone what is there now: modules and clients live as long as the process."""
    gc.freeze()
    gc.set_threshold(*_usual)
