"""Delete any number of expired rows in chunks, each in a short transaction of its own.

The rows are walked in the order of an index on (equality columns, time, key). A chunk is a range of that order: its
end is the n-th row after the last chunk's end, found with `OFFSET`, and all up to there goes with one range `DELETE`.
The index entries of rows that are already gone lie before the range and are not read again. The key makes the order
total, so that rows which share a timestamp (a bulk resolve) do not make a chunk larger.

Locks are held for a bounded time: n follows the time that the last chunk took, and the server cancels a chunk that
takes far longer, which is then tried with fewer rows. A row that somebody else has locked is waited for briefly; then
the chunk goes without the locked rows, which the next night finds again. Both limits are set with
`set_config(…, true)` in the transaction to which they apply, so they work behind PgBouncer and RDS Proxy (see
`connection.py`).

Rows that change meanwhile: the `DELETE` looks at each row's newest version, so an alert that was just reopened stays. A
row that appears behind the walk, or that is resolved with a time that has already been passed, goes the next night.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, select, text, tuple_
from sqlalchemy.exc import DBAPIError

from shared.database.connection import sqlstate, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Column, Connection, Delete, Select, Table

LOCK_NOT_AVAILABLE = "55P03"
QUERY_CANCELED = "57014"


class Position(NamedTuple):
    """A place in the walk: the time and the key of a row."""

    time: datetime
    key: Any


@dataclass(frozen=True, kw_only=True)
class Expired:
    """The rows of one table that may go.

    There must be an index on the columns that `where` compares with `=`, then `time`, then `key`; what else `where`
    asks may stand in that index's own condition.

    Attributes:
        table: the rows' table.
        time: the column that the cutoff is compared with; rows where it is null stay.
        key: the primary key.
        before: the cutoff, with a time zone; a row exactly at it stays.
        where: what else must be true.
    """

    table: Table
    time: Column[Any]
    key: Column[Any]
    before: datetime
    where: tuple[ColumnElement[bool], ...] = ()

    def __post_init__(self) -> None:
        if self.before.tzinfo is None:
            raise ValueError("a cutoff without a time zone means a different moment on each server")

    def nth(self, rows: int, after: Position | None) -> Select[Any]:
        """Select the position of the `rows`-th row after `after`; none when there are fewer."""
        return (
            select(self.time, self.key)
            .where(self._range(after, None))
            .order_by(self.time, self.key)
            .offset(rows - 1)
            .limit(1)
        )

    def delete(self, after: Position | None, upto: Position | None) -> Delete:
        """Delete what lies after `after` up to and including `upto`; None is the respective end."""
        return delete(self.table).where(self._range(after, upto))

    def delete_unlocked(self, after: Position | None, upto: Position | None) -> Delete:
        """Do the same, but leave rows that somebody else has locked."""
        free = select(self.key).where(self._range(after, upto)).with_for_update(skip_locked=True)
        return delete(self.table).where(self.key.in_(free))

    def count(self, after: Position | None, upto: Position | None) -> Select[int]:
        """Count the rows of the range."""
        return select(func.count()).select_from(self.table).where(self._range(after, upto))

    def _range(self, after: Position | None, upto: Position | None) -> ColumnElement[bool]:
        place = tuple_(self.time, self.key)
        conditions = [*self.where, self.time < self.before]
        # The bounds on the time alone follow from the bounds on the pair. They are for the planner, which knows how
        # few rows lie between two values of a column but guesses for pairs, and would then scan the table.
        if after is not None:
            time, key = self._bound(after)
            conditions += [place > tuple_(time, key), self.time >= time]
        if upto is not None:
            time, key = self._bound(upto)
            conditions += [place <= tuple_(time, key), self.time <= time]
        return and_(*conditions)

    def _bound(self, position: Position) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        # With the columns' types: for a time before all others (`-infinity`) the driver has no datetime, only text.
        time = bindparam(None, position.time, self.time.type)
        return time, bindparam(None, position.key, self.key.type)


@dataclass(frozen=True)
class Pace:
    """How large chunks become and how long they may hold locks.

    Attributes:
        first_rows: the first chunk's rows; few, since nothing is known of the server yet.
        least_rows: a chunk is never planned smaller.
        most_rows: nor larger.
        target_seconds: what a chunk's transaction should take.
        cancel_seconds: when the server cancels one of its statements.
        lock_wait_seconds: how long a chunk waits for somebody else's lock; less than `cancel_seconds`.
    """

    first_rows: int = 1_000
    least_rows: int = 100
    most_rows: int = 50_000
    target_seconds: float = 0.3
    cancel_seconds: float = 5.0
    lock_wait_seconds: float = 2.0

    def next_rows(self, rows: int, seconds: float) -> int:
        """Return how many rows to take after a chunk of `rows` took `seconds`: at most four times as many or few."""
        factor = min(4.0, max(0.25, self.target_seconds / max(seconds, 1e-6)))
        return max(self.least_rows, min(self.most_rows, round(rows * factor)))


@dataclass(frozen=True)
class Chunk:
    """What one transaction did: rows deleted, rows left because somebody had locked them, and how long it took."""

    deleted: int
    locked: int
    seconds: float


DEFAULT_PACE = Pace()


def delete_in_chunks(expired: Expired, pace: Pace = DEFAULT_PACE) -> Iterator[Chunk]:
    """Delete the expired rows; each chunk is committed when it is yielded, so the caller may stop after any.

    Nothing is held between chunks, neither a lock nor a connection. Starting again later goes on with what is left.

    Raises:
        DatabaseUnavailableError: the database cannot be reached or went away; chunks yielded before stay done.
        DBAPIError: the server refused, e.g. even the smallest chunk took too long.
    """
    after: Position | None = None
    rows = pace.first_rows
    while True:
        try:
            chunk, upto = _delete_chunk(expired, after, rows, pace)
        except DBAPIError as error:
            if sqlstate(error) != QUERY_CANCELED or rows <= pace.least_rows:
                raise
            rows = max(pace.least_rows, rows // 4)
            continue
        if chunk.deleted or chunk.locked:
            yield chunk
        if upto is None:
            return
        after, rows = upto, pace.next_rows(rows, chunk.seconds)


def _delete_chunk(expired: Expired, after: Position | None, rows: int, pace: Pace) -> tuple[Chunk, Position | None]:
    try:
        return _transact(expired, after, rows, pace, skip_locked=False)
    except DBAPIError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
    return _transact(expired, after, rows, pace, skip_locked=True)


def _transact(
    expired: Expired, after: Position | None, rows: int, pace: Pace, *, skip_locked: bool
) -> tuple[Chunk, Position | None]:
    with transaction() as connection:
        # Opening the connection holds no lock and says nothing about the rows: the clock starts here.
        started = perf_counter()
        _prepare(connection, pace)
        row = connection.execute(expired.nth(rows, after)).one_or_none()
        upto = Position(*row) if row is not None else None
        if skip_locked:
            deleted = connection.execute(expired.delete_unlocked(after, upto)).rowcount
            locked = connection.execute(expired.count(after, upto)).scalar_one()
        else:
            deleted = connection.execute(expired.delete(after, upto)).rowcount
            locked = 0
    return Chunk(deleted, locked, perf_counter() - started), upto


def _prepare(connection: Connection, pace: Pace) -> None:
    """Bound this transaction's waits, and keep it on the index.

    Where a chunk is a good part of a small table, or the statistics are of yesterday, the planner may prefer a
    sequential scan: right for one chunk, but each chunk would then read the whole table again, dead rows and all.
    """
    connection.execute(
        text(
            "SELECT set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true),"
            " set_config('enable_seqscan', 'off', true)"
        ),
        {"lock": f"{pace.lock_wait_seconds * 1000:.0f}ms", "statement": f"{pace.cancel_seconds * 1000:.0f}ms"},
    )
