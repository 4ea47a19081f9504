"""What the documents say and what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from local.cli.app import app
from shared.events.catalogue import CATALOGUE
from tests.conventions.house import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def verbs() -> set[str]:
    return {command.name or "" for command in app.registered_commands}


def functions() -> set[str]:
    return set(json.loads((ROOT / "shared" / "registry.json").read_text())["functions"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_that_is_shown_exists(document: Path) -> None:
    shown = set(re.findall(r"(?:^\$ |`|/)nightshift ([a-z]+)", document.read_text(), re.MULTILINE))

    assert shown <= verbs()


def test_the_readme_shows_every_verb() -> None:
    text = (ROOT / "README.md").read_text()

    assert {verb for verb in verbs() if f"nightshift {verb}" not in text} <= {"events", "demo"}  # `make demo` is there


def test_the_readme_lists_the_functions_that_there_are() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))

    assert listed == functions()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_event_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"`((?:alerts|errors)/[a-z.]+)`", document.read_text()))

    assert named <= CATALOGUE.keys()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_target_of_make_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"make ([a-z-]+)`", document.read_text())) <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_every_place_leads_somewhere(document: Path) -> None:
    text = document.read_text()
    links = [document.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    places = [ROOT / place for place in re.findall(r"`((?:shared|functions|local|tests|events|docs)/[\w/.-]*)`", text)]
    examples = {"functions/demo/greet.py", "events/demo-greet.json", "tests/functions/demo/test_greet.py"}
    examples |= {"shared/database/rds.pem"}

    missing = [path for path in links + places if not path.exists()]
    assert [str(path.relative_to(ROOT)) for path in missing if str(path.relative_to(ROOT)) not in examples] == []


def test_parameters_that_are_named_are_the_templates() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    template = (ROOT / "template.yaml").read_text()

    for parameter in set(re.findall(r"`(Database[A-Za-z]+)[=`]", text)):
        assert f"  {parameter}:" in template
