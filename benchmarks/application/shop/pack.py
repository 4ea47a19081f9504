"""A workflow of eight steps, the last of which says that it is done."""

from __future__ import annotations

from pydantic import BaseModel

from shared.engine import Workflow

from .events import OrderPacked
from .tell import tell


class Parcel(BaseModel):
    """What the steps hand on: through how many of them it went."""

    hands: int

    def handed_on(self) -> Parcel:
        """Return it after one more step."""
        return Parcel(hands=self.hands + 1)


workflow = Workflow("shop-pack", trigger=OrderPacked)


@workflow.step
def check(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def price(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def reserve(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def pick(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def wrap(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def weigh(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def label(parcel: Parcel) -> Parcel:
    """Hand it on."""
    return parcel.handed_on()


@workflow.step
def ship(event: OrderPacked, parcel: Parcel) -> Parcel:
    """Say that it is done."""
    tell(event.tell, event.order_id)
    return parcel.handed_on()


handler = workflow.handler
