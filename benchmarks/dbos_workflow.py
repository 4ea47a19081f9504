"""The same eight steps with DBOS, as a program of its own: it runs where DBOS is installed, which is not here.

    .venv-bench/bin/python benchmarks/dbos_workflow.py postgresql://…

Reads `<runs at a time> <runs>` per line and answers a line of JSON: seconds in all, and each run's milliseconds. DBOS
keeps the start, the result of each step and the end of a run in PostgreSQL; steps run in this process.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig  # type: ignore[import-not-found] # lives in .venv-bench
from sqlalchemy.engine import make_url

STEPS = 8


@DBOS.step()  # type: ignore[untyped-decorator] # DBOS is Any here
def hand_on(parcel: dict[str, int]) -> dict[str, int]:
    """Hand it on, as the steps of benchmarks/application/shop/pack.py do."""
    return {"hands": parcel["hands"] + 1}


@DBOS.workflow()  # type: ignore[untyped-decorator] # DBOS is Any here
def pack(_order_id: str) -> dict[str, int]:
    """Run all steps, each with what the one before it answered."""
    parcel = {"hands": 0}
    for _ in range(STEPS):
        parcel = hand_on(parcel)
    return parcel


def timed(order_id: str) -> float:
    """Run one workflow to its end and return the milliseconds that it took."""
    began = time.perf_counter()
    assert pack(order_id) == {"hands": STEPS}
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Serve measurements until there are no more lines."""
    url = make_url(sys.argv[1]).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    config: DBOSConfig = {"name": "shop", "system_database_url": url, "log_level": "ERROR", "max_executor_threads": 64}
    DBOS(config=config)
    DBOS.launch()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        at_a_time, runs = map(int, line.split())
        with ThreadPoolExecutor(at_a_time) as threads:
            began = time.perf_counter()
            took = list(threads.map(timed, [f"order-{number}" for number in range(runs)]))
            seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "runs": took}), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main()
