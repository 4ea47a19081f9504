import math

import pytest

from local.aws.time_scale import TimeScale


def test_takes_the_nominal_time_when_nothing_is_said() -> None:
    assert TimeScale().seconds(30) == 30


def test_takes_its_factor_of_the_nominal_time() -> None:
    assert TimeScale(0.01).seconds(300) == 3


@pytest.mark.parametrize("factor", [0, -1, math.inf, math.nan])
def test_refuses_a_factor_that_would_wait_never_or_for_ever(factor: float) -> None:
    with pytest.raises(ValueError, match="factor"):
        TimeScale(factor)
