"""Do to a running stack what may happen to it, at random, until told to stop."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from shared import clock
from tests.end_to_end.sabotage.driving import FUNCTIONS, INBOXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from tests.end_to_end.sabotage.driving import Sabotage

PAUSE: Final = (0.1, 0.9)  # seconds between two faults, at random
OUTAGE: Final = (0.3, 1.5)  # seconds for which a rule delivers nothing
SOON: Final = timedelta(
    minutes=6
)  # as of then, everything unfinished is looked at, but an inbox's backlog is waited for
ENDED_RULE: Final = "nightshift_execution-ended"


@dataclass
class Faults:
    """A thread that kills workers, takes messages out of inboxes and holds up rules; `done` counts what it did."""

    sabotage: Sabotage
    random: Random
    done: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)
    _error: Exception | None = None

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Do it while the block runs; what went wrong is raised at its end."""
        thread = threading.Thread(target=self._run, name="faults", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        kinds: dict[Callable[[], None], int] = {
            self._kill_a_worker: 10,
            self._lose_messages: 4,
            self._lose_ends: 2,
            self._lose_events: 2,
            self._reconcile: 1,
        }
        try:
            while not self._over.wait(self.random.uniform(*PAUSE)):
                [fault] = self.random.choices(list(kinds), list(kinds.values()))
                fault()
        except Exception as error:  # told to whoever waits
            self._error = error

    def _kill_a_worker(self) -> None:
        busy = [pid for function in INBOXES for pid in self.sabotage.stack.busy_workers(function)]
        if busy:
            try:
                os.kill(self.random.choice(busy), signal.SIGKILL)
            except ProcessLookupError:  # it was faster
                return
            self.done["workers killed"] += 1

    def _lose_messages(self) -> None:
        sqs, url = self.sqs, self.sabotage.queue_url(self.random.choice(FUNCTIONS))
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5, WaitTimeSeconds=0).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            self.done["messages taken out of inboxes"] += 1

    def _lose_ends(self) -> None:
        self._hold_up(Name=ENDED_RULE)
        self.done["outages of the rule for ends"] += 1

    def _lose_events(self) -> None:
        self._hold_up(Name=f"nightshift_{self.random.choice(FUNCTIONS)}", EventBusName="nightshift")
        self.done["outages of a function's rule"] += 1

    def _hold_up(self, **rule: str) -> None:
        self.events.disable_rule(**rule)
        self._over.wait(self.random.uniform(*OUTAGE))
        self.events.enable_rule(**rule)

    def _reconcile(self) -> None:
        self.done["passes of the reconciler meanwhile"] += 1
        later = SOON * self.done["passes of the reconciler meanwhile"]  # what was looked at is looked at later again
        self.sabotage.stack.ask("fire", "platform-reconcile", "--at", (clock.now() + later).isoformat())

    @property
    def sqs(self) -> Any:
        """The queues' client."""
        return self.sabotage.client("sqs")

    @property
    def events(self) -> Any:
        """The bus's client."""
        return self.sabotage.client("events")
