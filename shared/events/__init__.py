"""The typed event catalogue: a module a domain."""
