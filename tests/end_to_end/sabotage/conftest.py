"""The stack of the application that is sabotaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.running import stop
from tests.end_to_end.sabotage.driving import Sabotage, begin

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def sabotage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sabotage]:
    """The stack, with nothing planned."""
    started = begin(tmp_path_factory.mktemp("sabotage"))
    yield started
    stop(started.stack)
