"""The reconciler, whose workers are killed."""

from __future__ import annotations

from functions.platform.reconcile import handler as reconcile

from .kill_points import watched

handler = watched(reconcile)
