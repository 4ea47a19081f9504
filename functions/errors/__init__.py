"""Error records: keep the error log within its retention."""
