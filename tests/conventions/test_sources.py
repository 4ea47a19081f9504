"""What source files may hold."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conventions.house import ROOT

LONGEST_MODULE: Final = 400
# put together, so that this file passes its own test
INDEX_HOSTS: Final = tuple(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("pypi", "python")))
INDEX_OPTIONS: Final = tuple(f"--{option}" for option in ("index-url", "extra-index-url", "find-links"))


def modules(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def own_files() -> list[Path]:
    """Return the files that are, or would be, under version control."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to it cannot be told from what was built in it")
    ended = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for name in ended.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of every call in a module, as it is written."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def test_no_module_is_longer_than_a_reader_follows() -> None:
    sources = modules("functions", "shared", "local", "benchmarks")
    lengths = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources}

    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_deployed_code_neither_prints_nor_sleeps() -> None:
    forbidden = {"print", "sleep", "time.sleep"}

    found = [
        (str(path), *call) for path in modules("functions", "shared") for call in calls(path) if call[1] in forbidden
    ]

    assert found == []


def test_every_module_says_what_it_achieves() -> None:
    silent = [
        str(path)
        for path in modules("functions", "shared", "local")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert silent == []


def test_no_file_names_a_package_index() -> None:
    found = []
    for path in own_files():
        text = path.read_text(encoding="utf-8", errors="ignore")
        found += [(str(path), word) for word in (*INDEX_HOSTS, *INDEX_OPTIONS) if word in text]

    assert found == []


def test_requirements_are_locked_with_hashes() -> None:
    for path in ROOT.glob("requirements*.txt"):
        # a requirement and its hashes are one logical line
        logical = path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
        requirements = [line for line in logical if line.strip() and not line.lstrip().startswith("#")]

        assert requirements, path.name
        assert [line for line in requirements if "==" not in line or "--hash=sha256:" not in line] == [], path.name
