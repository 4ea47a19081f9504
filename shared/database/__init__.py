"""PostgreSQL for functions: one short transaction per unit of work, and deletion in chunks.

What is named here is imported when it is first used: SQLAlchemy is a third of a cold start, and a call that admits a
run, drops a duplicate or refuses a message does not need it.
"""

from typing import TYPE_CHECKING

from shared.late_imports import names_of

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

__getattr__ = names_of(
    __name__,
    {
        "connection": ("configure", "transaction"),
        "credentials": ("Credentials", "CredentialsError"),
        "deletion": ("Chunk", "Expired", "Pace", "delete_in_chunks"),
        "errors": ("DatabaseUnavailableError",),
        "migrate": ("migrate",),
        "tables": ("tables",),
    },
)
