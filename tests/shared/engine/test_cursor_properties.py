"""A run that goes on finds its cursor as it left it, through the ledger's row and another message."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.engine import Continue
from shared.engine.envelope import canonical_json
from tests.factories import envelope
from tests.stack import Stack
from tests.worker import DONE, Worker

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CURSORS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


def goes_on_from(stack: Stack, cursor: Any) -> Any:
    """Return the cursor that the second call of a task finds after the first left `cursor`."""
    worker = Worker(Continue(cursor), "done")

    assert worker.receives(stack, envelope(metadata={"id": uuid4().hex})) == DONE
    following = stack.asked("SendMessage")[-1]["MessageBody"]
    assert worker.receives(stack, following) == DONE

    assert len(worker.runs) == 2
    return worker.runs[1].cursor


def test_any_json_value_is_a_cursor(stack: Stack) -> None:
    @settings(max_examples=40)
    @given(CURSORS)
    def comes_back(cursor: Any) -> None:
        # to Python 1, 1.0 and True are equal; their JSON is not
        assert canonical_json(goes_on_from(stack, cursor)) == canonical_json(cursor)

    comes_back()


@pytest.mark.parametrize(("left", "found"), [((1, 2), [1, 2]), ({1: "one"}, {"1": "one"}), (float("nan"), None)])
def test_what_json_does_not_have_comes_back_as_what_it_has(stack: Stack, left: Any, found: Any) -> None:
    assert goes_on_from(stack, left) == found
