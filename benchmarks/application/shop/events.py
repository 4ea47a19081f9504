"""The shop's events."""

from __future__ import annotations

from typing import ClassVar

from shared.events.event import Event


class OrderNoted(Event):
    """Note an order."""

    event_name: ClassVar[str] = "shop/note.order"

    order_id: str
    tell: str  # the socket to which the work's end is told


class OrderPacked(OrderNoted):
    """Pack an order, in eight steps."""

    event_name: ClassVar[str] = "shop/pack.order"
