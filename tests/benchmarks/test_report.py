from __future__ import annotations

import pytest

from benchmarks.report import percentile, table


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]

    assert (percentile(values, 50), percentile(values, 99), percentile(values, 100)) == (50.0, 99.0, 100.0)
    assert (percentile([3.0], 50), percentile([3.0], 99)) == (3.0, 3.0)


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_a_table_lines_up() -> None:
    made = table(["what", "ms"], [["a", "1"], ["longer", "12.5"]])

    assert made.splitlines() == [
        "| what   |   ms |",
        "| ------ | ---: |",
        "| a      |    1 |",
        "| longer | 12.5 |",
    ]
