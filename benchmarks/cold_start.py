"""Cold start of each function of template.yaml, next to a handler that imports everything at its top.

    python -m benchmarks.cold_start [--rounds N] [--own-packages]

A cold start is a fresh process from its start until the function's module is imported and the ledger's client is made,
with the environment that the template gives. The other handler is benchmarks/ordinary_handler.py. They take turns.
Packages are those of the deployed layer, where `make bench` could install them, else this environment's own. Wall time
and user CPU; the bars are on wall time: at most 60 % without a database, 80 % with one.

A function loads SQLAlchemy and the driver with its first transaction; the other handler loads SQLAlchemy at its top,
and the driver with its engine. The last two rows have all of that, so that nothing is hidden by being late.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks.report import machine, table
from local.template.deployment import expand
from local.template.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
LAYER: Final = ROOT / ".venv-bench" / "layer"
SECRET: Final = "arn:aws:secretsmanager:us-east-1:123456789012:secret:database-AbCdEf"
WITHOUT_DATABASE: Final = 0.60
WITH_DATABASE: Final = 0.80

# The clock is the machine's own, so that the parent's reading before the start and this one can be compared.
TELL: Final = """
import resource, time
print(time.monotonic_ns(), int(resource.getrusage(resource.RUSAGE_SELF).ru_utime * 1e9))
"""
ORDINARY: Final = "import benchmarks.ordinary_handler"
OURS: Final = "import {module}\nfrom shared.engine.ledger import ledger\nledger()"
ORDINARY_ENGINE: Final = "\nfrom sqlalchemy import create_engine\ncreate_engine('postgresql+pg8000://')"
OUR_ENGINE: Final = """
from shared.database import driver, tables
from shared.database.connection import _engine
_engine()
"""


@dataclass(frozen=True)
class Candidate:
    """One thing to start: a program and its environment."""

    name: str
    program: str
    environment: Mapping[str, str]
    bar: float | None = None
    against: str = "ordinary handler"


@dataclass(frozen=True)
class Took:
    """One cold start, in seconds."""

    wall: float
    user: float


def candidates() -> list[Candidate]:
    """Return the ordinary handler, each function of the template, and both kinds with a database's engine."""
    deployment = expand(ROOT / "template.yaml", Placement(), {"DatabaseSecretArn": SECRET})
    found = [Candidate("ordinary handler", ORDINARY, deployment.functions[0].environment)]
    for function in deployment.functions:
        program = OURS.format(module=function.handler.rpartition(".")[0])
        bar = WITH_DATABASE if "DATABASE_SECRET_ARN" in function.environment else WITHOUT_DATABASE
        found.append(Candidate(function.function_id, program, function.environment, bar))
    return [*found, *_with_engine(found)]


def _with_engine(found: Sequence[Candidate]) -> Iterator[Candidate]:
    ordinary = replace(found[0], name="ordinary handler, engine made", program=found[0].program + ORDINARY_ENGINE)
    yield replace(ordinary, against=ordinary.name)
    [deletion] = [each for each in found if each.name == "alerts-cleanup-resolved"]
    name, program = f"{deletion.name}, engine made", deletion.program + OUR_ENGINE
    yield replace(deletion, name=name, program=program, bar=None, against=ordinary.name)


def start(candidate: Candidate, packages: Path | None) -> Took:
    """Start it once. With `packages` the interpreter sees those alone, without the site's own hooks, as in Lambda."""
    own: Sequence[str] = [sys.executable] if packages is None else [str(Path(sys.executable).resolve()), "-S"]
    environment = {
        **candidate.environment,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, filter(None, (packages, ROOT)))),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }
    began = time.monotonic_ns()
    said = subprocess.run(
        [*own, "-c", candidate.program + TELL], env=environment, check=True, capture_output=True, text=True
    )
    ended, user = map(int, said.stdout.split()[-2:])
    return Took((ended - began) / 1e9, user / 1e9)


def measure(started: Sequence[Candidate], packages: Path | None, rounds: int) -> dict[str, list[Took]]:
    """Return each candidate's cold starts; the first of each, which writes bytecode, is not among them."""
    took: dict[str, list[Took]] = {each.name: [] for each in started}
    for number in range(rounds + 1):
        for each in started if number % 2 else reversed(started):
            once = start(each, packages)
            if number:
                took[each.name].append(once)
    return took


def rows_of(started: Sequence[Candidate], took: Mapping[str, Sequence[Took]]) -> tuple[list[list[str]], bool]:
    """Return the table's rows, and whether every bar is kept."""
    rows, kept = [], True
    for each in started:
        own, other = took[each.name], took[each.against]
        wall, user = median(one.wall for one in own), median(one.user for one in own)
        ratio, user_ratio = wall / median(one.wall for one in other), user / median(one.user for one in other)
        shown = ["", ""] if own is other else [f"{ratio:.0%}", f"{user_ratio:.0%}"]
        bar = "" if each.bar is None else f"{each.bar:.0%}"
        rows.append([each.name, f"{wall * 1000:.0f}", f"{user * 1000:.0f}", *shown, bar])
        kept = kept and (each.bar is None or ratio <= each.bar)
    return rows, kept


def main() -> int:
    """Measure and print; exit code 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="cold starts of each (default: %(default)s)")
    parser.add_argument("--own-packages", action="store_true", help="this environment's packages, not the layer's")
    parser.add_argument("--json", type=Path, help="also write the samples there")
    arguments = parser.parse_args()
    packages = LAYER if LAYER.is_dir() and not arguments.own_packages else None
    started = candidates()
    took = measure(started, packages, arguments.rounds)
    rows, kept = rows_of(started, took)
    print(f"Cold start, medians of {arguments.rounds}, packages of {'the layer' if packages else 'this environment'}")
    print(machine())
    print(table(["cold start", "wall ms", "user ms", "wall", "user", "at most"], rows))
    if arguments.json:
        arguments.json.write_text(json.dumps({name: [vars(one) for one in each] for name, each in took.items()}))
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
