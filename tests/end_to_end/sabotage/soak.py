"""Send thousands of events through the local stack while everything that may fail does, and count what came of them.

    python -m tests.end_to_end.sabotage.soak [--events 10000] [--seed N]

Exits 1 when something was lost or done twice. The seed (or NIGHTSHIFT_SEED) repeats what is sent, planned and drawn,
not the moments at which it happens.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from shared.engine.identity import RunId
from tests.end_to_end.running import stop
from tests.end_to_end.sabotage.driving import begin
from tests.end_to_end.sabotage.faults import Faults
from tests.end_to_end.sabotage.mixture import CHANCE, LANES, orders
from tests.end_to_end.sabotage.tally import tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tests.end_to_end.sabotage.driving import Sabotage
    from tests.end_to_end.sabotage.mixture import Order
    from tests.end_to_end.sabotage.tally import Tally

BATCH = 10  # entries, PutEvents' limit
BATCH_BYTES = 900_000
BACKLOG = 300  # messages: hardly more are under way at a time, as faults are to hit all of them
FEW = 20  # messages under way at which the faults end


def soak(sabotage: Sabotage, sent: Sequence[Order], seed: int) -> Tally:
    """Send everything among faults, let the stack come to rest without, and compare."""
    began = time.monotonic()
    faults = Faults(sabotage, Random(seed))
    with faults.going_on():
        entries = send(sabotage, sent, seed)
        sabotage.wait_for_backlog(FEW)
    sabotage.settle(limit=600)
    seconds = time.monotonic() - began
    result = tally(sabotage, sent)
    result.counts["events sent"] |= Counter({"(all)": len(sent), "(copies and all)": entries})
    result.counts["faults"] = faults.done + Counter({"workers killed at a kill point": len(sabotage.kills())})
    result.counts["time"] = Counter({"seconds": round(seconds), "events/s": round(len(sent) / seconds)})
    return result


def send(sabotage: Sabotage, sent: Sequence[Order], seed: int) -> int:
    """Send events, no faster than they are worked on, and return how many entries that were."""
    for order in sent:
        if order.is_struck:
            run = str(RunId.of(order.kind.function, order.event_id))
            sabotage.plan(run, {"chance": CHANCE, "seed": f"{seed} {order.event_id}"})
    number = 0
    for batch in _batches(
        each for place, order in enumerate(sent) for each in order.entries(f"{seed}-{place // LANES}")
    ):
        sabotage.put(batch)
        number += len(batch)
        if number % BACKLOG < BATCH:
            sabotage.wait_for_backlog(BACKLOG)
    return number


def _batches(entries: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for entry in entries:
        if len(batch) == BATCH or sum(len(each["Detail"]) for each in [*batch, entry]) > BATCH_BYTES:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def any_seed() -> int:
    """Return the seed of NIGHTSHIFT_SEED, or a new one."""
    return int(os.environ.get("NIGHTSHIFT_SEED") or secrets.randbelow(10**6))


def main() -> int:
    """Run a soak on a stack of its own; the exit code is 0 when nothing was lost and nothing done twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.end_to_end.sabotage.soak", description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=any_seed())
    options = parser.parse_args()
    sys.stdout.write(f"seed {options.seed}\n")
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        sabotage = begin(Path(folder), "--workers", "4", batch=BATCH)
        try:
            result = soak(sabotage, list(orders(options.events, options.seed)), options.seed)
        finally:
            stop(sabotage.stack)
    sys.stdout.write("\n".join(result.lines()) + "\n")
    for problem in result.problems:
        sys.stdout.write(f"PROBLEM {problem}\n")
    sys.stdout.write(
        "nothing lost, nothing done twice\n" if not result.problems else f"{len(result.problems)} problems\n"
    )
    return 1 if result.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
