from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import inspect

from functions.platform.migrate import handler
from shared.database import configure, transaction


@pytest.fixture(autouse=True)
def _bare(bare_url: str) -> Iterator[None]:
    configure(bare_url)
    yield
    configure(None)


def test_makes_the_schema_and_says_which_revisions_it_ran() -> None:
    result = handler({}, None)

    assert result["from_revision"] is None
    assert result["applied"]
    with transaction() as connection:
        assert {"organization", "alerts", "error_log"} <= set(inspect(connection).get_table_names())


def test_finds_nothing_to_do_the_second_time() -> None:
    first = handler({}, None)

    second = handler({}, None)

    assert second == {"from_revision": first["to_revision"], "to_revision": first["to_revision"], "applied": ()}
