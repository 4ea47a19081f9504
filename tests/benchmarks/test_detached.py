from __future__ import annotations

import os
from pathlib import Path

from benchmarks.detached import Stack as DetachedStack
from benchmarks.detached import parse_rollup, processes_of
from local.data_dir import lock

ROLLUP = """\
55d0c8a3e000-7ffd3a7f2000 ---p 00000000 00:00 0                          [rollup]
Rss:               11696 kB
Pss:                5520 kB
Pss_Anon:           3532 kB
Locked:                0 kB
"""


def test_reads_sizes_in_bytes() -> None:
    assert parse_rollup(ROLLUP) == {"Rss": 11696 * 1024, "Pss": 5520 * 1024, "Pss_Anon": 3532 * 1024, "Locked": 0}


def test_finds_the_stack_itself_with_its_memory(tmp_path: Path) -> None:
    with lock(tmp_path):
        [own] = [each for each in processes_of(DetachedStack(tmp_path, 0.0)) if each.pid == os.getpid()]

    assert own.resident > own.proportional > 1_000_000
