"""SQLite: one file, a thread for each connection. A trip to the thread costs more than most statements do, so they are few.

BEGIN goes with the first statement, and a transaction whose work awaits nothing but its statements is one trip altogether.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import aiosqlite
from sqlalchemy import URL

from bridge.errors import BridgeError, ConstraintViolated, StoreUnavailable, Unstorable
from bridge.store.driver import Answer, Done, Running, Values

_BEGIN = "BEGIN IMMEDIATE"
"""A transaction that writes waits at its beginning for the others, and meets no lock halfway."""

NO_CHECKPOINT = "wal_autocheckpoint=0"
"""Commit into the write-ahead log and leave it there: `bridge.store.checkpoints` moves it."""

_CHECKPOINT = "wal_autocheckpoint=1"

LONGEST_LOG = 48 * 1024 * 1024
"""Bytes that the write-ahead log keeps when it begins anew: it is longer only while more than these wait to be moved."""

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "temp_store=MEMORY",  # what a statement may have to undo would be written into a file of its own, a page for every row
    NO_CHECKPOINT,
    f"journal_size_limit={LONGEST_LOG}",
)


@dataclass(slots=True)
class Log:
    """What this process has written into the write-ahead log since it began anew, in rows, and what of it lies in the file by now."""

    written: int = 0
    copied: int = 0
    """Never less than is copied, so that `uncopied` tells of nothing that is copied already."""
    finishes: bool = False
    """The next commit that changes anything is to copy what is left, so that the log begins anew."""

    @property
    def uncopied(self) -> int:
        """Rows that only the log holds."""
        return self.written - self.copied


class Sqlite:
    """An SQLite file. What is not in a transaction is committed by itself."""

    def __init__(self, url: URL, lock_timeout_s: float) -> None:
        dialect = url.set(drivername="sqlite+pysqlite").get_dialect()
        self.dialect = dialect()
        (self.path,), options = self.dialect.create_connect_args(url)
        self.log = Log()
        self._options = {**options, "isolation_level": None, "check_same_thread": False, "timeout": lock_timeout_s}

    async def connect(self) -> "SqliteConnection":
        """A connection to the file; it is made if there is none."""
        driver = aiosqlite.Connection(self._open, iter_chunk_size=64)
        driver._thread.daemon = True  # noqa: SLF001 - it is to keep no process alive
        return SqliteConnection(await driver, self.log)

    def meaning(self, error: BaseException) -> type[BridgeError] | None:
        """What an error of the driver is to us."""
        if isinstance(error, sqlite3.IntegrityError):
            return ConstraintViolated
        if isinstance(error, sqlite3.DataError | OverflowError | UnicodeError):
            return Unstorable
        return StoreUnavailable if isinstance(error, sqlite3.Error) else None

    def _open(self) -> sqlite3.Connection:
        driver: sqlite3.Connection = sqlite3.connect(self.path, **self._options)
        for pragma in _PRAGMAS:
            driver.execute(f"PRAGMA {pragma}").close()
        return driver


class SqliteConnection:
    """A connection with its thread."""

    def __init__(self, driver: aiosqlite.Connection, log: Log) -> None:
        self._driver = driver
        self._begins = False
        self._sent = self._done = 0
        self._log = log
        self._changes_before = 0

    async def begin(self) -> None:
        """The next statement begins a transaction that writes."""
        self._begins = True

    async def run(self, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        """Run a statement for each of these."""
        begins, self._begins = self._begins, False

        def statement(driver: sqlite3.Connection) -> Answer:
            if begins:
                self._begin(driver)
            return _run(driver, sql, values, returns)

        return await self._trip(statement)

    async def commit(self) -> None:
        """Commit, if anything was begun."""
        self._begins = False
        if not self.is_idle():
            await self._trip(self._commit)

    async def rollback(self) -> None:
        """Undo, if anything was begun."""
        self._begins = False
        if not self.is_idle():
            await self._trip(sqlite3.Connection.rollback)

    async def transact(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """One trip: on the thread, statements are there at once."""
        return await self._trip(lambda driver: self._transact(driver, work))

    async def together(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """One trip without a transaction."""
        return await self._trip(lambda driver: _at_once(work(OnTheThread(driver))))

    def is_idle(self) -> bool:
        """Whether there is no transaction, and no statement of somebody who was cancelled that may still begin one."""
        return self._sent == self._done and not self._driver.in_transaction

    async def close(self) -> None:
        """Close it, after what runs on it."""
        await self._driver.close()

    def _transact(self, driver: sqlite3.Connection, work: Callable[[Running], Awaitable[Done]]) -> Done:
        self._begin(driver)
        try:
            done = _at_once(work(OnTheThread(driver)))
        except BaseException:
            driver.rollback()
            raise
        self._commit(driver)
        return done

    def _begin(self, driver: sqlite3.Connection) -> None:
        driver.execute(_BEGIN).close()
        self._changes_before = driver.total_changes

    def _commit(self, driver: sqlite3.Connection) -> None:
        changed = driver.total_changes - self._changes_before
        if not (changed and self._log.finishes):
            self._log.written += changed  # before: what is copied meanwhile must not count as uncopied
            try:
                driver.commit()
            except BaseException:
                self._log.written -= changed
                raise
            return
        driver.execute(f"PRAGMA {_CHECKPOINT}").close()
        try:
            driver.commit()
        finally:
            driver.execute(f"PRAGMA {NO_CHECKPOINT}").close()
        self._log.written, self._log.copied, self._log.finishes = 0, 0, False

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


def _at_once(work: Awaitable[Done]) -> Done:
    """The result of an awaitable that never waits."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        done: Done = end.value
        return done
    raise RuntimeError("work in a transaction awaits nothing but its statements")
