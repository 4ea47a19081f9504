"""The recorder, whose workers are killed."""

from __future__ import annotations

from functions.platform.ledger import handler as receive

from .kill_points import watched

handler = watched(receive)
