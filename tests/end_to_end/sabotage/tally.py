"""Hold what a soak did against what it was asked for: what is lost, what was done twice, and the counts."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.engine.identity import RunId
from tests.end_to_end.sabotage.mixture import FLOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.end_to_end.sabotage.driving import Sabotage
    from tests.end_to_end.sabotage.mixture import Order

TOLD = "told"


@dataclass
class Effects:
    """How often one effect was done, how often that came on record, and how often it was done after that."""

    done: int = 0
    kept: int = 0
    again: int = 0


@dataclass
class Tally:
    """The counts by what they count, and everything that should not be."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the table."""
        rows = [
            (what, each, number) for what, counter in self.counts.items() for each, number in sorted(counter.items())
        ]
        return [f"{what:<28} {each:<48} {number:>8,}" for what, each, number in rows]


def tally(sabotage: Sabotage, sent: Sequence[Order]) -> Tally:
    """Read the ledger, the diary and the dead letters, and compare them with what was sent.

    Nobody else may have sent an event to the workflow or the tasks that begins with the same name.
    """
    result = Tally()
    name = sent[0].event_id.rpartition("-")[0]
    effects = effects_of(each for each in sabotage.entries() if each["event_id"].startswith(f"{name}-"))
    functions = ("sabotage-work", "sabotage-paced", "sabotage-flow")
    rows = {row["run_id"]: row for function in functions for row in sabotage.stack.runs(function)}
    news = Counter(row["output"] for row in sabotage.stack.runs("sabotage-watch"))
    letters = Counter(
        each.get("RunId", "") for function in functions for each in sabotage.stack.take_dead_letters(function)
    )
    for order in sent:
        run = str(RunId.of(order.kind.function, order.event_id))
        result.counts["events sent"][order.kind.name] += 1
        row = rows.pop(run, None)
        if row is None:
            result.problems.append(f"{order.event_id} ({order.kind.name}) is lost: it has no run")
            continue
        result.counts["runs"][f"{row['function']} {row['status']}"] += 1
        result.problems += [
            f"{run} ({order.kind.name}): {each}" for each in problems_of(order, row, effects[order.event_id])
        ]
        if row["status"] == "failed":
            _count_failure(result, run, row, is_expected=not order.kind.succeeds)
            result.problems += untold(run, row, effects[order.event_id], news[run], letters[run])
    foreign = [run for run, row in rows.items() if row["event_id"].startswith(f"{name}-")]
    result.problems += [f"{run} is a run that nobody asked for" for run in foreign]
    _count_effects(result, effects)
    for row in sabotage.stack.runs("platform-reconcile"):
        result.counts["reconciler"]["runs"] += 1
        result.counts["reconciler"].update({f"found: {kind}": number for kind, number in (row["output"] or {}).items()})
    result.counts["dead letters"]["of failed runs"] = letters.total() - letters[""]
    result.counts["dead letters"]["moved aside by SQS itself"] = letters[""]
    return result


def effects_of(entries: Iterable[dict[str, Any]]) -> dict[str, dict[str, Effects]]:
    """Return each event's effects by name."""
    effects: dict[str, dict[str, Effects]] = defaultdict(lambda: defaultdict(Effects))
    for each in entries:
        effect = effects[each["event_id"]][each["what"]]
        if "kept" in each:
            effect.kept += 1
        else:
            effect.done += 1
            effect.again += effect.kept > 0
    return effects


def problems_of(order: Order, row: Mapping[str, Any], effects: Mapping[str, Effects]) -> list[str]:
    """Return what is wrong with a run's end and its effects."""
    problems = [
        f"{what!r} was done twice: {effect}" for what, effect in effects.items() if effect.again or effect.kept > 1
    ]
    if row["status"] not in ("completed", "failed"):
        problems.append(f"it is {row['status']}")
    if row["status"] == "completed":
        if not order.kind.succeeds:
            problems.append("it cannot have succeeded")
        problems += [f"{what!r} is lost" for what in order.kind.effects if what not in effects]
        problems += ["it was told as failed"] * (TOLD in effects)
    return problems


def untold(run: str, row: Mapping[str, Any], effects: Mapping[str, Effects], news: int, letters: int) -> list[str]:
    """Return who does not know of a failed run; `news` is how often the bus had it, `letters` its dead letters."""
    told = effects[TOLD].done if TOLD in effects else 0
    problems = [] if told else [f"{run}: on_failure was not called"]
    problems += [] if news == 1 else [f"{run}: its failure was news {news} times"]
    if row["function"] != FLOW and not letters:
        problems.append(f"{run}: there is no dead letter")
    return problems


def _count_failure(result: Tally, run: str, row: dict[str, Any], *, is_expected: bool) -> None:
    why = "as asked" if is_expected else "by faults"
    result.counts["failed"][f"{why}: {row['error']['type']}"] += 1


def _count_effects(result: Tally, effects: dict[str, dict[str, Effects]]) -> None:
    for event in effects.values():
        for what, effect in event.items():
            kind = "on_failure" if what == TOLD else "effects"
            more = ", worker died before it could say so" if effect.done > 1 else ""
            result.counts[kind][f"done {effect.done} x{more}"] += 1
