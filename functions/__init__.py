"""What the night shift does: a folder a domain, a module a function."""
