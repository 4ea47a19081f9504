from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.engine.identity import RunId


def test_is_the_same_for_the_same_function_and_event() -> None:
    assert RunId.of("alerts-cleanup-resolved", "e-1") == RunId.of("alerts-cleanup-resolved", "e-1")


def test_differs_between_functions_events_and_generations() -> None:
    runs = {RunId.of("a", "1"), RunId.of("a", "2"), RunId.of("b", "1"), RunId.of("a", "1", 1)}

    assert len({str(run) for run in runs}) == 4


@given(st.text(min_size=1), st.integers(0, 999_999_999))
def test_parses_what_it_writes(event_id: str, generation: int) -> None:
    run = RunId.of("f", event_id, generation)

    assert RunId.parse(str(run)) == run


@given(st.text(min_size=1), st.integers(0, 999_999_999))
def test_is_a_valid_execution_name(event_id: str, generation: int) -> None:
    name = str(RunId.of("f", event_id, generation))

    assert len(name) <= 80
    assert name.isascii()
    assert name.replace("-", "").isalnum()


@pytest.mark.parametrize(
    "name",
    ["", "by-hand", "A" * 36, "6ba7b810-9dad-11d1-80b4-00c04fd430c8-0", "6ba7b810-9dad-11d1-80b4-00c04fd430c8x"],
)
def test_refuses_a_name_that_is_not_a_run(name: str) -> None:
    with pytest.raises(ValueError, match="not a run id"):
        RunId.parse(name)


def test_names_the_events_of_a_generation_apart() -> None:
    first, second = RunId.of("f", "1"), RunId.of("f", "1", 1)

    assert first.event_id("org-1") != second.event_id("org-1")
