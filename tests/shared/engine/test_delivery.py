from __future__ import annotations

from datetime import timedelta

from shared import clock
from shared.clock import StoppedClock
from shared.engine.delivery import Delivery
from shared.engine.inbox import Message
from tests.factories import Context
from tests.stack import START

MESSAGE = Message(id="message-1", body="{}", receipt_handle="handle", receive_count=1)


def received(milliseconds: int) -> Delivery:
    with clock.using(StoppedClock(START)):
        return Delivery.now(MESSAGE, Context(milliseconds))


def test_leases_a_run_until_the_end_of_its_lambda_call() -> None:
    delivery = received(90_500)

    assert (delivery.received_at, delivery.lease) == (START, START + timedelta(seconds=90.5))


def test_leases_an_admission_for_a_minute_at_most() -> None:
    assert received(900_000).admission_lease == START + timedelta(minutes=1)
    assert received(5_000).admission_lease == START + timedelta(seconds=5)


def test_has_a_name_of_its_own_each_time() -> None:
    assert received(1).holder != received(1).holder
