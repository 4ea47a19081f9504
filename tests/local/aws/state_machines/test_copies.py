"""Copies of JSON values, and that moto makes them so."""

from __future__ import annotations

import copy
import datetime as dt
from typing import TYPE_CHECKING, Any

from local.aws.state_machines.copies import copied

if TYPE_CHECKING:
    import pytest

    from tests.local.aws.state_machines.machines import Machines

VALUE: dict[str, Any] = {"a": [1, 2.5, None, True, {"b": "c"}], "at": dt.datetime(2026, 3, 1, tzinfo=dt.UTC), "e": []}


def test_a_copy_is_equal_and_shares_nothing_that_changes() -> None:
    made = copied(VALUE)

    assert made == VALUE
    assert made is not VALUE
    assert made["a"] is not VALUE["a"]
    assert made["a"][4] is not VALUE["a"][4]


def test_what_is_no_json_is_copied_as_python_copies_it() -> None:
    class Thing:
        def __init__(self) -> None:
            self.held = [1]

    thing = Thing()

    made = copied({"thing": thing})["thing"]

    assert isinstance(made, Thing)
    assert made.held == [1]
    assert made.held is not thing.held


def test_states_make_no_other_copies_of_their_values(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {
        "Begin": {"Type": "Pass", "Assign": {"kept": "{% $states.input.value %}"}, "Next": "Middle"},
        "Middle": {"Type": "Pass", "Next": "End"},
        "End": {"Type": "Succeed", "Output": {"kept": "{% $kept %}"}},
    }
    seen: list[Any] = []
    deepcopy = copy.deepcopy
    monkeypatch.setattr(copy, "deepcopy", lambda value, *memo: seen.append(value) or deepcopy(value, *memo))

    output = machines.output(states, {"value": {"deep": ["in", "it"]}})

    assert output == {"kept": {"deep": ["in", "it"]}}
    assert [value for value in seen if isinstance(value, dict) and "value" in value] == []
