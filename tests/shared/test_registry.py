from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.events.schedule import ScheduleFired
from shared.registry import SHIPPED, Woken, reacts, registry, woken_by
from shared.settings import forget_environment


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "registry.json"
    functions = {
        "b-task": {"kind": "task", "events": ["demo/greeted", "demo/met"], "schedule": None},
        "a-workflow": {"kind": "workflow", "events": ["demo/met"], "schedule": None},
        "nightly": {"kind": "task", "events": [], "schedule": {"name": "at-night", "expression": "rate(1 day)"}},
    }
    path.write_text(json.dumps({"functions": functions}))
    for name in ("STACK_NAME", "EVENT_BUS_NAME", "LEDGER_TABLE"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("REGISTRY_PATH", str(path))
    forget_environment()
    return path


def test_says_what_wakes_each_function() -> None:
    assert registry() == {
        "b-task": Woken("task", frozenset({"demo/greeted", "demo/met"}), None),
        "a-workflow": Woken("workflow", frozenset({"demo/met"}), None),
        "nightly": Woken("task", frozenset(), "at-night"),
    }


def test_says_whom_an_event_wakes_in_the_same_order_each_time() -> None:
    assert woken_by("demo/met") == ["a-workflow", "b-task"]
    assert woken_by("demo/greeted") == ["b-task"]
    assert woken_by("demo/Greeted") == woken_by(ScheduleFired.event_name) == []


@pytest.mark.parametrize(
    ("function", "event", "answer"),
    [
        ("b-task", "demo/met", True),
        ("b-task", "demo/left", False),
        ("b-task", ScheduleFired.event_name, False),
        ("nightly", ScheduleFired.event_name, True),
        ("nightly", "demo/met", False),
        ("gone", "demo/met", False),
    ],
)
def test_says_whether_a_function_reacts(function: str, event: str, answer: bool) -> None:
    assert reacts(function, event) is answer


def test_reads_the_file_once(environment: Path) -> None:
    before = registry()
    environment.unlink()

    assert registry() is before


def test_is_the_one_that_ships_beside_it_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_PATH")
    forget_environment()

    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))["functions"]

    assert registry().keys() == shipped.keys()
    assert {woken.kind for woken in registry().values()} == {"task", "workflow", "platform"}
