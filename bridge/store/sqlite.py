"""SQLite: one file, a thread for each connection. A trip to the thread costs more than most statements do, so they are few.

BEGIN goes with the first statement, and a transaction whose work awaits nothing but its statements is one trip altogether.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence

import aiosqlite
from sqlalchemy import URL

from bridge.errors import BridgeError, ConstraintViolated, StoreUnavailable, Unstorable
from bridge.store.driver import Answer, Done, Running, Values

_BEGIN = "BEGIN IMMEDIATE"
"""A transaction that writes waits at its beginning for the others, and meets no lock halfway."""

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
NO_CHECKPOINT = "wal_autocheckpoint=0"
"""Commit into the write-ahead log and leave it there: see `Sqlite`."""


class Sqlite:
    """An SQLite file. What is not in a transaction is committed by itself.

    Whoever is `beside` the service leaves it to it to move the write-ahead log into the file. Before 3.51.3 SQLite can lose commits
    when two connections do so at the same moment (https://sqlite.org/wal.html#the_wal_reset_bug).
    """

    def __init__(self, url: URL, lock_timeout_s: float, *, beside: bool = False) -> None:
        dialect = url.set(drivername="sqlite+pysqlite").get_dialect()
        self.dialect = dialect()
        (self._path,), options = self.dialect.create_connect_args(url)
        self._options = {**options, "isolation_level": None, "check_same_thread": False, "timeout": lock_timeout_s}
        self._pragmas = (*_PRAGMAS, NO_CHECKPOINT) if beside else _PRAGMAS

    async def connect(self) -> "SqliteConnection":
        """A connection to the file; it is made if there is none."""
        driver = aiosqlite.Connection(self._open, iter_chunk_size=64)
        driver._thread.daemon = True  # noqa: SLF001 - it is to keep no process alive
        return SqliteConnection(await driver)

    def meaning(self, error: BaseException) -> type[BridgeError] | None:
        """What an error of the driver is to us."""
        if isinstance(error, sqlite3.IntegrityError):
            return ConstraintViolated
        if isinstance(error, sqlite3.DataError | OverflowError | UnicodeError):
            return Unstorable
        return StoreUnavailable if isinstance(error, sqlite3.Error) else None

    def _open(self) -> sqlite3.Connection:
        driver: sqlite3.Connection = sqlite3.connect(self._path, **self._options)
        for pragma in self._pragmas:
            driver.execute(f"PRAGMA {pragma}").close()
        return driver


class SqliteConnection:
    """A connection with its thread."""

    def __init__(self, driver: aiosqlite.Connection) -> None:
        self._driver = driver
        self._begins = False
        self._sent = self._done = 0

    async def begin(self) -> None:
        """The next statement begins a transaction that writes."""
        self._begins = True

    async def run(self, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        """Run a statement for each of these."""
        begins, self._begins = self._begins, False

        def statement(driver: sqlite3.Connection) -> Answer:
            if begins:
                driver.execute(_BEGIN).close()
            return _run(driver, sql, values, returns)

        return await self._trip(statement)

    async def commit(self) -> None:
        """Commit, if anything was begun."""
        self._begins = False
        if not self.is_idle():
            await self._trip(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        """Undo, if anything was begun."""
        self._begins = False
        if not self.is_idle():
            await self._trip(sqlite3.Connection.rollback)

    async def transact(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """One trip: on the thread, statements are there at once."""
        return await self._trip(lambda driver: _transact(driver, work))

    async def together(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """One trip without a transaction."""
        return await self._trip(lambda driver: _at_once(work(OnTheThread(driver))))

    def is_idle(self) -> bool:
        """Whether there is no transaction, and no statement of somebody who was cancelled that may still begin one."""
        return self._sent == self._done and not self._driver.in_transaction

    async def close(self) -> None:
        """Close it, after what runs on it."""
        await self._driver.close()

    async def _trip(self, do: Callable[[sqlite3.Connection], Done]) -> Done:
        self._sent += 1
        done: Done = await self._driver._execute(self._counted, do)  # type: ignore[no-untyped-call]  # noqa: SLF001
        return done

    def _counted(self, do: Callable[[sqlite3.Connection], Done]) -> Done:
        try:
            return do(self._driver._conn)  # noqa: SLF001
        finally:
            self._done += 1


class OnTheThread:
    """Runs statements where the connection is: nobody waits for them."""

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    async def run(self, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        """Run a statement for each of these."""
        return _run(self._driver, sql, values, returns)


def _run(driver: sqlite3.Connection, sql: str, values: Sequence[Values], returns: bool) -> Answer:
    cursor = driver.cursor()
    try:
        if not returns and len(values) > 1:
            cursor.executemany(sql, values)
            return Answer((), (), cursor.rowcount)
        rows: list[Values] = []
        changed = 0
        for each in values:
            cursor.execute(sql, each)
            rows += cursor.fetchall() if cursor.description else ()
            changed += cursor.rowcount
        return Answer([column[0] for column in cursor.description or ()], rows, changed)
    finally:
        cursor.close()


def _transact(driver: sqlite3.Connection, work: Callable[[Running], Awaitable[Done]]) -> Done:
    driver.execute(_BEGIN).close()
    try:
        done = _at_once(work(OnTheThread(driver)))
    except BaseException:
        driver.rollback()
        raise
    driver.commit()
    return done


def _at_once(work: Awaitable[Done]) -> Done:
    """The result of an awaitable that never waits."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        done: Done = end.value
        return done
    raise RuntimeError("work in a transaction awaits nothing but its statements")
