"""The local stack as its user has it: start, latency, throughput, workflows next to DBOS, memory.

    python -m benchmarks.local_stack [--rounds N] [--quick]

The stack is a detached process, load comes from this one, and functions are worker processes: all share the machine's
cores with PostgreSQL. Workflows of eight steps and DBOS take turns; both do nothing in their steps. They are not alike:
DBOS keeps each step in PostgreSQL and runs it in its caller's process, the stack keeps it in memory and runs it in a
worker. Medians over the rounds; percentiles are over all samples.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

from benchmarks.detached import ROOT, checkout, nightshift, processes_of, running, until
from benchmarks.load import NOTE, PACK, Ends, Load
from benchmarks.report import machine, percentile, table
from local.postgres import Postgres
from local.sample_night import seed
from local.template.deployment import expand
from local.template.placement import Placement
from shared.database.connection import connect_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.detached import Stack

STEPS: Final = 8
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf"
PEER: Final = ROOT / ".venv-bench" / "bin" / "python"
AT_A_TIME: Final = (1, 10, 50)


@dataclass(frozen=True)
class Sizes:
    """How much of each there is in a round."""

    latencies: int = 60
    put: int = 300
    backlog: int = 1500
    runs: tuple[int, int, int] = (15, 50, 100)  # with 1, 10 and 50 at a time
    backlog_delay: int = 6  # seconds that sending the backlog should not take


QUICK: Final = Sizes(latencies=10, put=50, backlog=200, runs=(3, 10, 50), backlog_delay=3)


@dataclass(frozen=True)
class Line:
    """One measured value; a bar is the most that it may be, an aim is neither."""

    name: str
    value: float
    unit: str
    aim: float | None = None
    bar: float | None = None

    @property
    def cells(self) -> list[str]:
        """The line as a table has it."""
        limits = ["" if each is None else f"{each:g} {self.unit}" for each in (self.aim, self.bar)]
        return [
            self.name,
            f"{self.value:.3g} {self.unit}" if self.value < 100 else f"{self.value:.0f} {self.unit}",
            *limits,
        ]


class Dbos:
    """DBOS in its own environment and process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @classmethod
    @contextmanager
    def on(cls, url: str) -> Iterator[Dbos | None]:
        """Start it on the PostgreSQL at `url`; None where it is not installed."""
        installed = (
            PEER.exists()
            and not subprocess.run([PEER, "-c", "import dbos"], check=False, capture_output=True).returncode
        )
        if not installed:
            print("DBOS is not installed (`make peers`): workflows are measured alone.")
            yield None
            return
        command: list[str | Path] = [PEER, Path(__file__).with_name("dbos_workflow.py"), url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            peer = cls(process)
            peer._answer()
            yield peer
            assert process.stdin is not None
            process.stdin.close()

    def run(self, runs: int, *, at_a_time: int) -> tuple[float, list[float]]:
        """Run workflows; return the runs per second and each one's ms."""
        assert self._process.stdin is not None
        print(at_a_time, runs, file=self._process.stdin, flush=True)
        answer = self._answer()
        return runs / answer["seconds"], answer["runs"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "DBOS has died"
        return json.loads(line)


class Samples:
    """What was measured, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[float]] = defaultdict(list)

    def add(self, name: str, *values: float) -> None:
        """Add values to those of `name`."""
        self._by_name[name] += values

    def middle(self, name: str) -> float:
        """Return the median."""
        return median(self._by_name[name])

    def percentile(self, name: str, percent: float) -> float:
        """Return a percentile."""
        return percentile(self._by_name[name], percent)


def measure_start(folder: Path, rounds: int, samples: Samples) -> None:
    """Start the real template's stack: once with a database to be made, then again and again."""
    data_dir = folder / "start"
    for number in range(rounds + 1):
        with running(data_dir) as stack:
            samples.add("start" if number else "first start", stack.started_in)


def measure_tasks(load: Load, sizes: Sizes, rounds: int, samples: Samples) -> None:
    """Measure latency and throughput of a task that does nothing."""
    load.latencies(load.orders(10), lambda order: load.put(NOTE, [order]))
    load.put_rate(load.orders(sizes.put), a_put=10)
    for _ in range(rounds):
        samples.add("task", *load.latencies(load.orders(sizes.latencies), lambda order: load.put(NOTE, [order])))
        samples.add("put", load.put_rate(load.orders(sizes.put), a_put=10))
        samples.add("backlog", load.backlog_rate(sizes.backlog, seconds=sizes.backlog_delay))


def measure_workflows(load: Load, dbos: Dbos | None, sizes: Sizes, rounds: int, samples: Samples) -> None:
    """Measure workflows that are started by an event, by StartExecution, and those of DBOS, in turn."""
    ways: dict[str, Callable[[str], None]] = {
        "event": lambda order: load.put(PACK, [order]),
        "start": load.start_execution,
    }
    load.run_rate(load.orders(10), ways["event"], at_a_time=5)
    if dbos is not None:
        dbos.run(10, at_a_time=5)
    for _ in range(rounds):
        for way, start in ways.items():
            samples.add(f"{way} run", *load.latencies(load.orders(sizes.runs[0]), start))
        for at_a_time, runs in zip(AT_A_TIME, sizes.runs, strict=True):
            for way, start in ways.items():
                samples.add(f"{way} {at_a_time}", STEPS * load.run_rate(load.orders(runs), start, at_a_time=at_a_time))
            if dbos is not None:
                rate, took = dbos.run(runs, at_a_time=at_a_time)
                samples.add(f"dbos {at_a_time}", STEPS * rate)
                samples.add("dbos run", *(took if at_a_time == 1 else ()))


def measure_memory(folder: Path, url: str, samples: Samples) -> None:
    """Start the real template's stack, let every function work, and add up what all its processes keep."""
    with running(folder / "memory", database_url=url) as stack:
        with connect_to(url) as connection:
            seed(connection, now=datetime.now(UTC), organizations=40, alerts=4_000, errors=1_000)
        touch_all(stack)
        processes = processes_of(stack)
        workers = [each for each in processes if "launcher.py" in each.command]
        [own] = [each for each in processes if each.pid == stack.pid]
        samples.add("memory", sum(each.proportional for each in processes) / 2**20)
        samples.add("resident", sum(each.resident for each in processes) / 2**20)
        samples.add("memory of the stack", own.proportional / 2**20)
        samples.add("memory of workers", sum(each.proportional for each in workers) / 2**20)
        samples.add("workers", len(workers))


def touch_all(stack: Stack) -> None:
    """Let the night's jobs work on the database, and see to it that each function of the template has a worker."""
    for schedule in ("alerts-prepare-cleanup", "errors-prepare-cleanup"):
        nightshift("fire", schedule, "--wait", data_dir=stack.data_dir)
    url = stack.env["NIGHTSHIFT_URL"]
    functions = {
        each.name for each in expand(ROOT / "template.yaml", Placement(), {"DatabaseSecretArn": SECRET}).functions
    }
    for name in sorted(functions):  # an empty batch: nothing to do
        with urlopen(f"{url}/2015-03-31/functions/{name}/invocations", data=b'{"Records": []}') as answer:
            answer.read()

    def all_touched() -> bool:
        with urlopen(f"{url}/workers") as answer:
            workers = json.load(answer)
        return functions <= {each["function"] for each in workers} and not any(each["busy"] for each in workers)

    until(all_touched, "every function to have had a worker")


def report(samples: Samples, sizes: Sizes, rounds: int, *, with_dbos: bool) -> bool:
    """Print the tables; return whether every bar is kept."""
    lines = [
        Line("first start to ready, with a new database", samples.middle("first start"), "s"),
        Line("start to ready", samples.middle("start"), "s", aim=2),
        Line("PutEvents to task done, p50", samples.percentile("task", 50), "ms", aim=15, bar=30),
        Line("PutEvents to task done, p99", samples.percentile("task", 99), "ms", aim=30, bar=100),
        Line("tasks/s, ten a put", samples.middle("put"), "/s", aim=150),
        Line("tasks/s from a backlog", samples.middle("backlog"), "/s", aim=800),
        Line("8-step run, p50", samples.percentile("start run", 50), "ms", aim=20, bar=60),
        Line("PutEvents to the 8th step done, p50", samples.percentile("event run", 50), "ms"),
        Line("memory (PSS), every function touched", samples.middle("memory"), "MB", bar=1024),
    ]
    print(f"The local stack, medians of {rounds} rounds ({sizes.latencies * rounds} tasks one by one)")
    print(machine())
    print(table(["what", "measured", "aim", "at most"], [line.cells for line in lines]))
    print(
        f"memory: stack {samples.middle('memory of the stack'):.0f} MB, {samples.middle('workers'):.0f} workers "
        f"{samples.middle('memory of workers'):.0f} MB; RSS of all {samples.middle('resident'):.0f} MB"
    )
    head = ["steps/s, 8-step runs", *(f"{each} at a time" for each in AT_A_TIME), "run p50, ms"]
    ways = [("by PutEvents", "event"), ("by StartExecution", "start")] + ([("DBOS", "dbos")] if with_dbos else [])
    rates = [[name, *(f"{samples.middle(f'{way} {each}'):.0f}" for each in AT_A_TIME)] for name, way in ways]
    middles = [f"{samples.percentile(f'{way} run', 50):.0f}" for _, way in ways]
    print(table(head, [[*row, middle] for row, middle in zip(rates, middles, strict=True)]))
    return all(line.bar is None or line.value <= line.bar for line in lines)


def main() -> int:
    """Measure and print; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="little in each round: to see whether it works")
    arguments = parser.parse_args()
    sizes, samples = QUICK if arguments.quick else Sizes(), Samples()
    with tempfile.TemporaryDirectory() as name, Postgres.start(Path(name) / "postgres") as postgres:
        folder = Path(name)
        measure_start(folder, arguments.rounds, samples)
        template = str(checkout(folder))
        with Dbos.on(postgres.url) as dbos, running(folder / "data", "--template", template) as stack:
            with Ends.listening(folder / "ends") as ends:
                load = Load(stack, ends)
                measure_tasks(load, sizes, arguments.rounds, samples)
                measure_workflows(load, dbos, sizes, arguments.rounds, samples)
            with_dbos = dbos is not None
        measure_memory(folder, postgres.url, samples)
    return 0 if report(samples, sizes, arguments.rounds, with_dbos=with_dbos) else 1


if __name__ == "__main__":
    sys.exit(main())
