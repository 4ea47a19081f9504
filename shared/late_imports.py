"""Let a package name what its modules hold, and import each module when one of its names is first used."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def names_of(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """Return the `__getattr__` of a package (https://peps.python.org/pep-0562/).

    Args:
        package: its `__name__`.
        homes: which names each of its modules has; a module that has its own name is given itself.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = import_module(f"{package}.{home_of[name]}")
        found = home if name == home_of[name] else getattr(home, name)
        setattr(sys.modules[package], name, found)  # it is not looked for again
        return found

    return find
