"""A shop whose functions do nothing."""
