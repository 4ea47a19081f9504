"""Put work on a running stack from outside, and hear from the work itself when it is done.

The functions of benchmarks/application send a datagram with the machine's monotonic clock at the end of their work, so
that nothing polls while something is measured.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from benchmarks.detached import LIMIT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.detached import Stack

NOTE: Final = "shop/note.order"
PACK: Final = "shop/pack.order"


class Ends:
    """Where the ends of work are told: `at` has the clock (ns) by order id."""

    def __init__(self, link: socket.socket, path: Path) -> None:
        self.path = path
        self.at: dict[str, int] = {}
        self._link = link
        self._heard = threading.Condition()

    @classmethod
    @contextmanager
    def listening(cls, path: Path) -> Iterator[Ends]:
        """Listen at `path` until the end of the block."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.bind(str(path))
            ends = cls(link, path)
            thread = threading.Thread(target=ends._listen, daemon=True)
            thread.start()
            yield ends
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
                last.sendto(b"", str(path))
            thread.join()

    def _listen(self) -> None:
        while told := self._link.recv(4096):
            order, at = told.decode().split()
            with self._heard:
                self.at.setdefault(order, int(at))
                self._heard.notify_all()

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Return once `done`, which is asked again after each end, is true; raise TimeoutError."""
        with self._heard:
            if not self._heard.wait_for(done, LIMIT_SECONDS):
                raise TimeoutError(f"waited {LIMIT_SECONDS:g} s for {what}")


class Load:
    """One stack under load. Ids are never used twice: a repeated event would start nothing."""

    def __init__(self, stack: Stack, ends: Ends) -> None:
        self._events = stack.client("events")
        self._queues = stack.client("sqs")
        self._machines = stack.client("stepfunctions")
        self._bus = stack.env["EVENT_BUS_NAME"]
        self._ends = ends
        self._numbers = count()

    def orders(self, amount: int) -> list[str]:
        """Return new ids."""
        return [f"order-{next(self._numbers)}" for _ in range(amount)]

    def put(self, name: str, orders: list[str]) -> None:
        """Put one event per order on the bus, in one request."""
        entries = [self._entry(name, order) for order in orders]
        answer = self._events.put_events(Entries=entries)
        assert not answer["FailedEntryCount"], answer

    def start_execution(self, order: str) -> None:
        """Start the workflow's machine without an event, as its function does."""
        envelope = {
            "detail-type": PACK,
            "source": "benchmark",
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "detail": self._detail(order),
        }
        machine = f"arn:aws:states:us-east-1:123456789012:stateMachine:{self._bus}_shop-pack"
        number = int(order.rpartition("-")[2])
        name = f"00000000-0000-5000-8000-{number:012x}"
        self._machines.start_execution(stateMachineArn=machine, name=name, input=json.dumps({"event": envelope}))

    def latencies(self, orders: list[str], start: Callable[[str], None]) -> list[float]:
        """Start the work for one order after the other; return the ms from each start to its end."""
        took = []
        for order in orders:
            began = time.monotonic_ns()
            start(order)
            self._ends.wait(lambda order=order: order in self._ends.at, order)  # type: ignore[misc] # bound here
            took.append((self._ends.at[order] - began) / 1e6)
        return took

    def put_rate(self, orders: list[str], *, a_put: int) -> float:
        """Put all orders on the bus as fast as it takes them; return tasks per second, first put to last end."""
        began = time.monotonic_ns()
        for first in range(0, len(orders), a_put):
            self.put(NOTE, orders[first : first + a_put])
        return len(orders) / ((self._last_end(orders) - began) / 1e9)

    def backlog_rate(self, amount: int, *, seconds: int) -> float:
        """Let `amount` orders become visible in the task's inbox at once; return tasks per second, first to last end.

        `seconds` is how long sending them may take; where it takes longer, it is tried again with twice that.
        """
        orders = self.orders(amount)
        url = self._queues.get_queue_url(QueueName=f"{self._bus}_shop-note")["QueueUrl"]
        due = time.monotonic() + seconds
        for first in range(0, len(orders), 10):
            delay = max(0, round(due - time.monotonic()))
            entries = [
                {"Id": str(number), "MessageBody": self._message(order), "DelaySeconds": delay}
                for number, order in enumerate(orders[first : first + 10])
            ]
            assert not self._queues.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")
        is_late = time.monotonic() > due
        last = self._last_end(orders)
        if is_late:
            return self.backlog_rate(amount, seconds=seconds * 2)
        return (len(orders) - 1) / ((last - min(self._ends.at[order] for order in orders)) / 1e9)

    def run_rate(self, orders: list[str], start: Callable[[str], None], *, at_a_time: int) -> float:
        """Keep `at_a_time` workflows going until all orders are done; return the runs per second."""
        going: deque[str] = deque()
        began = time.monotonic_ns()

        def some_ended() -> bool:
            ended = [order for order in going if order in self._ends.at]
            for order in ended:
                going.remove(order)
            return len(going) < at_a_time

        for order in orders:
            self._ends.wait(some_ended, "a workflow to end")
            going.append(order)
            start(order)
        return len(orders) / ((self._last_end(orders) - began) / 1e9)

    def _last_end(self, orders: list[str]) -> int:
        self._ends.wait(lambda: all(order in self._ends.at for order in reversed(orders)), f"{len(orders)} orders")
        return max(self._ends.at[order] for order in orders)

    def _detail(self, order: str) -> dict[str, Any]:
        return {"data": {"order_id": order, "tell": str(self._ends.path)}, "metadata": {"id": order}}

    def _entry(self, name: str, order: str) -> dict[str, Any]:
        detail = json.dumps(self._detail(order))
        return {"EventBusName": self._bus, "Source": "benchmark", "DetailType": name, "Detail": detail}

    def _message(self, order: str) -> str:
        event = {"detail-type": NOTE, "source": "benchmark", "time": "2026-05-03T04:00:00Z"}
        return json.dumps(event | {"detail": self._detail(order)})
