from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from shared import garbage


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_collects_rarely_while_held_and_never_not_at_all() -> None:
    garbage.hold()

    assert gc.isenabled()
    assert gc.get_threshold()[0] == garbage.RARELY


def test_collects_as_usual_after_that_and_leaves_alone_what_is_there() -> None:
    garbage.hold()

    garbage.resume()

    assert gc.get_threshold()[0] < garbage.RARELY
    assert gc.get_freeze_count() > 1000
