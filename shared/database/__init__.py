"""PostgreSQL for functions: one short transaction per unit of work, and deletion in chunks."""

from shared.database.connection import DatabaseUnavailableError, configure, transaction
from shared.database.credentials import Credentials, CredentialsError
from shared.database.deletion import Chunk, Expired, Pace, delete_in_chunks

__all__ = [
    "Chunk",
    "Credentials",
    "CredentialsError",
    "DatabaseUnavailableError",
    "Expired",
    "Pace",
    "configure",
    "delete_in_chunks",
    "transaction",
]
