"""Alerts: keep each organization's alerts within its retention."""
