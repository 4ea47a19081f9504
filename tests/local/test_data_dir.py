from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from local.data_dir import AlreadyRunningError, lock, running_pid

ROOT = Path(__file__).parents[2]


def test_no_process_runs_where_there_is_no_directory(tmp_path: Path) -> None:
    assert running_pid(tmp_path / "never") is None


def test_a_pid_that_a_killed_process_left_says_nothing(tmp_path: Path) -> None:
    program = "import pathlib, signal, sys; from local.data_dir import lock\nwith lock(pathlib.Path(sys.argv[1])):\n"
    program += "    print('held', flush=True)\n    signal.pause()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        held_by = running_pid(tmp_path)
        holder.send_signal(signal.SIGKILL)

    assert held_by == holder.pid
    assert (tmp_path / "pid").read_text() == str(holder.pid)
    assert running_pid(tmp_path) is None
    with lock(tmp_path):
        assert running_pid(tmp_path) == os.getpid()


def test_a_second_one_is_refused(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"), lock(tmp_path):
        pass

    assert running_pid(tmp_path) is None


def test_a_look_at_who_holds_it_does_not_refuse_a_stack_that_starts(tmp_path: Path) -> None:
    with (tmp_path / "pid").open("w") as looked_at:
        fcntl.flock(looked_at, fcntl.LOCK_SH)
        looking = threading.Timer(0.1, lambda: fcntl.flock(looked_at, fcntl.LOCK_UN))
        looking.start()

        with lock(tmp_path):
            held_by = running_pid(tmp_path)
        looking.join()

    assert held_by == os.getpid()
