"""A connection to an SQLite file on which a statement is one trip to the connection's thread.

With aiosqlite's own cursor, a cursor, its statement, its rows and its end are a trip each, and two threads that hand each other the
interpreter cost more than most statements do. SQLAlchemy fetches all rows at once in any case.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import aiosqlite


class Cursor:
    """What SQLAlchemy's dialect asks of a cursor: it holds what its last statement told, and nothing that is open."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._rows: Sequence[Any] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Iterable[Any] = ()) -> None:
        """Run a statement, and fetch its rows."""
        await self._connection.trip(self._run, sqlite3.Cursor.execute, statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Iterable[Any]]) -> None:
        """Run a statement for each of these."""
        await self._connection.trip(self._run, sqlite3.Cursor.executemany, statement, parameters)

    async def fetchall(self) -> Sequence[Any]:
        """The rows of the last statement."""
        return self._rows

    async def close(self) -> None:
        """Nothing is open."""

    def _run(self, how: Any, statement: str, parameters: Any) -> None:
        cursor = self._connection.driver.cursor()
        try:
            how(cursor, statement, parameters)
            self._rows = cursor.fetchall() if cursor.description else ()
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """aiosqlite's, with cursors of ours."""

    async def trip(self, run: Callable[..., None], *arguments: Any) -> None:
        """Run a function on the thread."""
        await self._execute(run, *arguments)  # type: ignore[no-untyped-call]

    @property
    def driver(self) -> sqlite3.Connection:
        """The thread's own connection."""
        return self._conn

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor; making it is no trip."""
        return Cursor(self)


def connect(database: str, **options: Any) -> Connection:
    """A connection, open when it was awaited. Its thread keeps no process alive."""
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does where it connects by itself
    return connection
