"""Which of a pool's workers go when they had nothing to do, on a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from local.lambda_service.pool import WorkerPool

if TYPE_CHECKING:
    from local.lambda_service.workers import Worker


class Idler:
    """What a pool needs of a worker."""

    def __init__(self) -> None:
        self.is_usable = True

    def end(self) -> None:
        self.is_usable = False


def make_pool(now: list[float]) -> tuple[WorkerPool, list[Any]]:
    """A pool of three that were used one after the other, at 0, 10 and 20 s."""
    pool = WorkerPool(3, lambda: cast("Worker", Idler()), clock=lambda: now[0])
    workers = [pool.acquire() for _ in range(3)]
    for place, worker in enumerate(workers):
        now[0] = place * 10.0
        pool.release(worker)
    return pool, workers


def test_those_that_rest_for_long_enough_are_ended() -> None:
    now = [0.0]
    pool, (first, second, third) = make_pool(now)

    now[0] = 25.0
    ended = pool.end_idle(15.0)

    assert ended == 2
    assert [worker.is_usable for worker in (first, second, third)] == [False, False, True]
    assert pool.workers() == [(third, False)]


def test_a_call_begins_the_rest_anew() -> None:
    now = [0.0]
    pool, (_, _, third) = make_pool(now)
    now[0] = 100.0
    assert pool.acquire() is third
    assert pool.end_idle(50.0) == 2  # not the one that is lent

    pool.release(third)
    now[0] = 140.0

    assert pool.end_idle(50.0) == 0
    assert pool.acquire() is third


def test_a_place_that_became_free_is_filled_again() -> None:
    now = [0.0]
    pool, workers = make_pool(now)
    now[0] = 1000.0
    pool.end_idle(1.0)

    again = [pool.acquire() for _ in range(3)]

    assert not set(again) & set(workers)
