from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import shared.events
from shared.events.catalogue import CATALOGUE
from shared.events.event import Event

HERE = Path(shared.events.__file__).parent


def declared() -> set[type[Event]]:
    """Every event that a module of the room declares."""
    modules = [import_module(f"shared.events.{path.stem}") for path in HERE.glob("*.py") if path.stem != "__init__"]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Event) and hasattr(value, "event_name")
    }


def test_holds_every_event_that_there_is() -> None:
    assert set(CATALOGUE.values()) == declared()


def test_knows_each_by_the_name_under_which_it_travels() -> None:
    assert {name: event.event_name for name, event in CATALOGUE.items()} == {name: name for name in CATALOGUE}


def test_has_no_two_events_of_one_name() -> None:
    names = [event.event_name for event in declared()]

    assert len(names) == len(set(names))


def test_each_says_what_it_is_for_in_a_sentence() -> None:
    for event in CATALOGUE.values():
        assert event.__doc__
        assert event.__doc__ != Event.__doc__
        assert event.__doc__.strip().splitlines()[0].endswith(".")


OUTCOME = st.fixed_dictionaries(
    {
        "function_id": st.text(),
        "run_id": st.uuids().map(str),
        "error": st.fixed_dictionaries({"type": st.text(), "message": st.text()}),
        "step": st.none() | st.text(),
        "attempt": st.none() | st.integers(1, 9),
        "event": st.fixed_dictionaries(
            {"name": st.text(), "id": st.text(), "data": st.dictionaries(st.text(), st.integers() | st.text())}
        ),
    }
)
GOOD: dict[str, Any] = {
    "alerts/cleanup.resolved.alerts": st.fixed_dictionaries(
        {"organization_id": st.text(min_size=1), "retention_days": st.integers(1, 365)}
    ),
    "errors/cleanup.old.errors": st.fixed_dictionaries({"retention_days": st.integers(1, 365)}),
    "nightshift/function.cancelled": OUTCOME,
    "nightshift/function.failed": OUTCOME,
    "nightshift/schedule.fired": st.fixed_dictionaries(
        {"schedule": st.text(), "scheduled_at": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")}
    ),
}


def test_every_event_has_good_data_to_be_tried_with() -> None:
    assert GOOD.keys() == CATALOGUE.keys(), "add the new event's data above"


@pytest.mark.parametrize("name", sorted(GOOD))
@given(data=st.data())
def test_round_trips_under_its_sent_names(name: str, data: st.DataObject) -> None:
    sent = data.draw(GOOD[name])

    event = CATALOGUE[name].model_validate(sent)

    assert event.data().keys() == sent.keys()
    assert CATALOGUE[name].model_validate(event.data()) == event


@pytest.mark.parametrize("name", sorted(GOOD))
@given(data=st.data())
def test_ignores_what_a_newer_sender_adds(name: str, data: st.DataObject) -> None:
    sent = data.draw(GOOD[name])

    event = CATALOGUE[name].model_validate(sent | {"added_later": {"deep": [1]}})

    assert event == CATALOGUE[name].model_validate(sent)
    assert "added_later" not in event.data()
