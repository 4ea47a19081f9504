"""PostgreSQL for functions: one short transaction per unit of work, and deletion in chunks.

What is named here is imported when it is first used: SQLAlchemy is a third of a cold start, and a call that admits a
run, drops a duplicate or refuses a message does not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from shared.database import migrate, tables
    from shared.database.connection import configure, transaction
    from shared.database.credentials import Credentials, CredentialsError
    from shared.database.deletion import Chunk, Expired, Pace, delete_in_chunks
    from shared.database.errors import DatabaseUnavailableError

__all__ = [
    "Chunk",
    "Credentials",
    "CredentialsError",
    "DatabaseUnavailableError",
    "Expired",
    "Pace",
    "configure",
    "delete_in_chunks",
    "migrate",
    "tables",
    "transaction",
]

_HOMES: Final = {
    "connection": ("configure", "transaction"),
    "credentials": ("Credentials", "CredentialsError"),
    "deletion": ("Chunk", "Expired", "Pace", "delete_in_chunks"),
    "errors": ("DatabaseUnavailableError",),
    "migrate": ("migrate",),
    "tables": ("tables",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # https://peps.python.org/pep-0562/
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOME_OF[name]}")
    found = globals()[name] = home if name == _HOME_OF[name] else getattr(home, name)
    return found
