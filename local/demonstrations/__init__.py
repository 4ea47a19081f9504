"""The stories that `nightshift demo` tells: a module a domain."""
