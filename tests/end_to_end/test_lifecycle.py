"""The stack as a process: it comes once, goes completely, and finds its rows again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped] # it ships no types
import pytest
from sqlalchemy import func, insert, select

from local.data_dir import running_pid
from shared.database.connection import connect_to
from shared.database.tables import organization
from tests.end_to_end.running import RunningStack, dev, start, stop, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.conftest import Diary

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stack's directory with an embedded database of its own; whatever still runs there is stopped at the end."""
    path = tmp_path_factory.mktemp("lifecycle") / ".nightshift"
    yield path
    stop(RunningStack(path))


def processes(stack: RunningStack) -> list[psutil.Process]:
    """Return the stack's process and all below it, after a call that made it start a worker."""
    stack.ask("send", "errors/cleanup.old.errors", "--data", '{"retention_days": 30}', "--wait")
    return family_of(stack)


def family_of(stack: RunningStack) -> list[psutil.Process]:
    root = psutil.Process(running_pid(stack.data_dir))
    return [root, *root.children(recursive=True)]


def names(family: list[psutil.Process]) -> str:
    return " ".join(word for each in family for word in each.cmdline())


def all_gone(family: list[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family)


def organizations(stack: RunningStack) -> int:
    with connect_to(stack.env["DATABASE_URL"]) as connection:
        return connection.execute(select(func.count()).select_from(organization)).scalar_one()


def add_organization(stack: RunningStack, id_: str) -> None:
    with connect_to(stack.env["DATABASE_URL"]) as connection:
        connection.execute(insert(organization).values(id=id_, name=id_, slug=id_, retention_days=30))


def test_stop_ends_every_process_and_the_next_start_finds_the_rows(data_dir: Path) -> None:
    stack = start(data_dir)
    add_organization(stack, "stays")
    before = organizations(stack)
    family = processes(stack)
    assert "functions.errors.cleanup_old.handler" in names(family)
    assert "postgres" in names(family)

    said = stack.nightshift("stop")

    assert (said.code, said.out) == (0, "stopped\n")
    until(lambda: all_gone(family), "every process to end", limit=10)
    assert not (data_dir / "env").exists()
    assert organizations(start(data_dir)) == before
    stop(stack)


def test_a_killed_stack_leaves_no_process_behind_and_starts_again(data_dir: Path) -> None:
    stack = start(data_dir)
    add_organization(stack, "survives")
    before = organizations(stack)
    family = processes(stack)

    os.kill(family[0].pid, signal.SIGKILL)

    until(lambda: all_gone(family), "every process to end", limit=20)
    said = stack.nightshift("runs")
    assert (said.code, said.err.startswith("nightshift: no local stack runs on")) == (1, True)
    assert organizations(start(data_dir)) == before
    stop(stack)


def test_stop_does_not_wait_for_handlers_that_hang(application: Path, diary: Diary, tmp_path: Path) -> None:
    stack = start(tmp_path / "hangs", "--template", str(application), "--time-scale", "1")
    try:
        for _ in range(2):
            stack.send("stage/act", {"diary": str(diary.path), "deeds": ["hang"]})
        stack.send("stage/rehearse", {"diary": str(diary.path), "recite": ["hang"], "pause": 1})
        until(lambda: len(diary.entries("started")) == 2 and diary.entries("learnt"), "the handlers to start")
        family = family_of(stack)

        os.kill(family[0].pid, signal.SIGTERM)

        until(lambda: all_gone(family), "every process to end", limit=20)
    finally:
        stop(stack)


def test_a_second_stack_on_the_same_directory_is_refused_in_one_line(stage: RunningStack) -> None:
    said = dev(stage.data_dir)

    assert (said.code, said.out) == (1, "")
    [line] = said.err.splitlines()
    assert f"a stack runs on {stage.data_dir} already (process {running_pid(stage.data_dir)})" in line
    assert stage.ask("runs") is not None


def test_verbs_without_a_stack_say_so_in_one_line(tmp_path: Path) -> None:
    for verb in (("runs",), ("stop",), ("send", "demo/greeted"), ("fire", "alerts-prepare-cleanup")):
        said = RunningStack(tmp_path).nightshift(*verb)

        assert (said.code, said.out) == (1, "")
        [line] = said.err.splitlines()
        assert line.startswith(f"nightshift: no local stack runs on {tmp_path}")
