from __future__ import annotations

from benchmarks.cold_start import WITH_DATABASE, WITHOUT_DATABASE, Took, candidates, rows_of, start


def test_starts_every_function_of_the_template_after_the_ordinary_handler() -> None:
    ordinary, *functions = candidates()

    assert ordinary.name == "ordinary handler"
    bars = {each.name: each.bar for each in functions}
    assert bars["alerts-cleanup-resolved"] == WITH_DATABASE
    assert bars["errors-prepare-cleanup"] == WITHOUT_DATABASE


def test_a_cold_start_makes_the_ledger_in_a_process_of_its_own() -> None:
    [function] = [each for each in candidates() if each.name == "errors-prepare-cleanup"]

    took = start(function, None)

    assert took.wall > 0 < took.user


def test_a_bar_is_missed_by_one_function_that_takes_too_long() -> None:
    ordinary, *functions = candidates()
    took = {each.name: [Took(0.1, 0.1)] for each in functions} | {ordinary.name: [Took(1.0, 0.5)]}

    _, kept = rows_of([ordinary, *functions], took)
    _, missed = rows_of([ordinary, *functions], took | {functions[0].name: [Took(0.9, 0.1)]})

    assert (kept, missed) == (True, False)
