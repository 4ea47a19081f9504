"""Whatever dies, fails or comes late, and in whatever order: what each policy promises holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.engine.effects import EffectInProgressError, EffectUnknownError, OncePolicy, once
from tests.effects import LIMIT, DiedError, on_request, run_of
from tests.stack import Stack

POINTS: Final = tuple(
    f"{when} {what}" for what in ("PutItem", "effect", "UpdateItem", "DeleteItem") for when in ("before", "after")
)
PAST: Final = LIMIT + timedelta(seconds=1)

_items = count()


@dataclass(frozen=True)
class Attempt:
    """What happens to one attempt, and how long after the last one it comes."""

    after: timedelta
    dies: str | None = None
    fails: type[Exception] | None = None


@dataclass
class World:
    """One effect, how often it was done, and what its attempts were told."""

    policy: OncePolicy
    item: str = field(default_factory=lambda: str(next(_items)))
    done: int = 0
    results: list[Any] = field(default_factory=list)
    unknown: int = 0

    def attempt(self, what: Attempt) -> None:
        _dying.point = what.dies
        try:
            self.results.append(once(run_of(), self.item, lambda: self._do(what), policy=self.policy, limit=LIMIT))
        except EffectUnknownError:
            self.unknown += 1
        except (EffectInProgressError, ValueError, TimeoutError, DiedError):
            pass
        finally:
            _dying.point = None

    def _do(self, what: Attempt) -> int:
        _dying.at("before effect")
        if what.fails is ValueError:
            raise ValueError("refused")
        self.done += 1
        _dying.at("after effect")
        if what.fails is not None:
            raise what.fails("no answer")
        return self.done


class Dying:
    """Where the worker of the current attempt dies."""

    point: str | None = None

    def at(self, point: str) -> None:
        if point == self.point:
            raise DiedError


_dying = Dying()

attempts = st.builds(
    Attempt,
    after=st.sampled_from([timedelta(0), timedelta(seconds=5), PAST]),
    dies=st.none() | st.sampled_from(POINTS),
    fails=st.none() | st.sampled_from([ValueError, TimeoutError]),
)
few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def play(stack: Stack, world: World, story: list[Attempt]) -> None:
    """Let the attempts come, and two more that go well, each when the time of all before is over."""
    for what in (*story, Attempt(PAST), Attempt(PAST)):
        stack.clock.advance(what.after)
        world.attempt(what)


def listen() -> None:
    """Let a death reach the client's requests."""
    for point in POINTS:
        if not point.endswith("effect"):
            on_request(point, lambda point=point: _dying.at(point))  # type: ignore[misc] # a default, to bind it now


def test_repeat_does_it_at_least_once_and_gives_one_result(stack: Stack) -> None:
    listen()

    @few
    @given(st.lists(attempts, max_size=6))
    def holds(story: list[Attempt]) -> None:
        world = World("repeat")

        play(stack, world, story)

        begun_again = sum(1 for what in story if what.dies or what.fails)
        assert 1 <= world.done <= 1 + begun_again
        assert len(set(world.results)) == 1
        assert world.results[-2:] == world.results[-1:] * 2
        assert world.unknown == 0

    holds()


def test_stop_does_it_at_most_once_and_says_when_it_does_not_know(stack: Stack) -> None:
    listen()

    @few
    @given(st.lists(attempts, max_size=6))
    def holds(story: list[Attempt]) -> None:
        world = World("stop")

        play(stack, world, story)

        assert world.done <= 1
        assert set(world.results) <= {1}
        assert bool(world.results) != bool(world.unknown)  # an end that is known, or one that is told
        if not any(what.dies or what.fails is TimeoutError for what in story):
            assert (world.results[-1], world.unknown) == (1, 0)

    holds()
