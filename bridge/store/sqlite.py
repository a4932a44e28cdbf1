"""A connection to an SQLite file on which a statement is one trip to the connection's thread, and BEGIN none.

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
        await self._connection.trip(lambda driver: self._run(driver, sqlite3.Cursor.execute, statement, parameters))

    async def executemany(self, statement: str, parameters: Iterable[Iterable[Any]]) -> None:
        """Run a statement for each of these."""
        await self._connection.trip(lambda driver: self._run(driver, sqlite3.Cursor.executemany, statement, parameters))

    async def fetchall(self) -> Sequence[Any]:
        """The rows of the last statement, once: the thread keeps what it did last, and is not to keep them."""
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Nothing is open."""

    def _run(self, driver: sqlite3.Connection, how: Any, statement: str, parameters: Any) -> None:
        cursor = driver.cursor()
        try:
            how(cursor, statement, parameters)
            self._rows = cursor.fetchall() if cursor.description else ()
            self.description, self.rowcount, self.lastrowid = cursor.description, cursor.rowcount, cursor.lastrowid
        finally:
            cursor.close()


class Connection(aiosqlite.Connection):
    """aiosqlite's, with cursors of ours. A transaction that writes begins with its first statement."""

    _begins = False
    _sent = _done = 0

    def cursor(self) -> Cursor:  # type: ignore[override]
        """A cursor; making it is no trip."""
        return Cursor(self)

    def begin(self) -> None:
        """The next statement begins a transaction that writes: `BEGIN IMMEDIATE` goes with it."""
        self._begins = True

    async def trip(self, run: Callable[[sqlite3.Connection], None]) -> None:
        """Run a function on the thread."""
        begins, self._begins = self._begins, False
        self._sent += 1
        await self._execute(self._take, run, begins)  # type: ignore[no-untyped-call]

    def _take(self, run: Callable[[sqlite3.Connection], None], begins: bool) -> None:
        try:
            if begins:
                self._conn.execute("BEGIN IMMEDIATE").close()
            run(self._conn)
        finally:
            self._done += 1

    async def commit(self) -> None:
        """Commit, if anything was begun."""
        self._begins = False
        if self._is_open():
            await super().commit()

    async def rollback(self) -> None:
        """Undo, if anything was begun."""
        self._begins = False
        if self._is_open():
            await super().rollback()

    def _is_open(self) -> bool:
        """Whether there is a transaction, or a statement of somebody who was cancelled may still begin one."""
        return self._sent != self._done or self._conn.in_transaction


def connect(database: str, **options: Any) -> Connection:
    """A connection, open when it was awaited. Its thread keeps no process alive."""
    connection = Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=64)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does where it connects by itself
    return connection
