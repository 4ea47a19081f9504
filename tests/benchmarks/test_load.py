from __future__ import annotations

import time
from pathlib import Path

from benchmarks.application.shop.tell import tell
from benchmarks.load import Ends


def test_hears_when_work_was_done(tmp_path: Path) -> None:
    before = time.monotonic_ns()

    with Ends.listening(tmp_path / "ends") as ends:
        for order in ("order-1", "order-2", "order-1"):
            tell(str(tmp_path / "ends"), order)
        ends.wait(lambda: "order-2" in ends.at, "order-2")

    assert set(ends.at) == {"order-1", "order-2"}
    assert before < ends.at["order-1"] < ends.at["order-2"] < time.monotonic_ns()


def test_work_goes_on_where_nobody_listens(tmp_path: Path) -> None:
    with Ends.listening(tmp_path / "ends"):
        pass

    tell(str(tmp_path / "ends"), "order-1")
    tell(str(tmp_path / "nowhere"), "order-1")
