"""The database, and the one place where its errors become ours.

SQLite has one writer: its pool of one connection is the queue of the transactions that want to write. Readers have connections of
their own. PostgreSQL needs no such care.

What only reads is in no transaction: each of its statements sees what is committed then, on both engines alike.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Executable, Insert, Table, make_url
from sqlalchemy.dialects import postgresql, sqlite

from bridge.errors import BridgeError, ConstraintViolated, Deadlock, StoreUnavailable, Unstorable
from bridge.store.checkpoints import Checkpoints
from bridge.store.driver import Answer, Driver, Engine, Running
from bridge.store.pool import Pool
from bridge.store.sqlite import Sqlite
from bridge.store.statements import Rows, Statements, Updates

LOCK_TIMEOUT_S = 5
"""How long a transaction waits for another process's lock before its caller is told that the store is not available."""

COMMAND_TIMEOUT = timedelta(seconds=30)
"""How long PostgreSQL may take for a statement. A migration of a large table takes as long as it takes."""

_UNAVAILABLE = "the database does not answer as it should"
_TOLD: Mapping[type[BridgeError], str] = {
    Deadlock: "the database undid a transaction",
    Unstorable: "the database cannot hold it",
    ConstraintViolated: "the database does not allow it",
}

Done = TypeVar("Done")


class Connection:
    """A connection that runs SQLAlchemy's statements."""

    def __init__(self, driver: Running, statements: Statements) -> None:
        self.driver = driver
        self._statements = statements

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] = ()
    ) -> Rows:
        """Run a statement; with a sequence of parameters, once for each of them, or an INSERT for many at once."""
        every = [parameters] if isinstance(parameters, Mapping) else list(parameters) or [{}]
        compiled = self._statements.of(statement, every[0])
        if len(every) > 1 and isinstance(statement, Insert):
            return compiled.rows(*await self._insert(statement, every, returns=compiled.returns))
        sql = compiled.sql(every[0])
        answer = await self.driver.run(sql.text, [sql.values(each) for each in every], returns=compiled.returns)
        return compiled.rows(*answer)

    async def update(self, updates: Updates, rows: Sequence[Mapping[str, Any]]) -> None:
        """Update rows: on PostgreSQL with one statement for all, on SQLite, which is no trip away, with one for each."""
        if len(rows) == 1 or self._statements.dialect.name != "postgresql":
            await self.execute(updates.one, rows)
        else:
            sql, values = self._statements.update(updates, rows)
            await self.driver.run(sql, [values], returns=False)

    async def _insert(self, statement: Insert, rows: Sequence[Mapping[str, Any]], *, returns: bool) -> Answer:
        answers = [
            await self.driver.run(sql, [values], returns=returns)
            for sql, values in self._statements.inserts(statement, rows)
        ]
        changed = sum(answer.rowcount for answer in answers)
        return Answer(answers[0].names, [row for answer in answers for row in answer.rows], changed)


Work = Callable[[Connection], Awaitable[Done]]


class Database:
    """An open database. `writing` and `reading` give connections; the database's errors leave them as `BridgeError`.

    `beside`: another process may be the service that has it.
    """

    def __init__(self, url: str, command_timeout: timedelta | None = COMMAND_TIMEOUT, *, beside: bool = False) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.display = self.url.render_as_string(hide_password=True)
        self._file = _File(Path(self.url.database or "")) if self.is_sqlite else None
        self._engine = self._opened(command_timeout)
        self._statements = Statements(self._engine.dialect)
        self._writers = Pool(self._engine.connect, 1 if self.is_sqlite else 10, 2 * LOCK_TIMEOUT_S)
        self._readers = Pool(self._engine.connect, 4, 2 * LOCK_TIMEOUT_S) if self.is_sqlite else self._writers
        self._checkpoints = Checkpoints(self._engine) if isinstance(self._engine, Sqlite) and not beside else None

    def _opened(self, command_timeout: timedelta | None) -> Engine:
        if self.is_sqlite:
            return Sqlite(self.url, LOCK_TIMEOUT_S)
        from bridge.store.postgresql import PostgreSQL  # noqa: PLC0415 - SQLite does not need its driver

        return PostgreSQL(self.url, LOCK_TIMEOUT_S, command_timeout)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """A transaction that is durable when the block has ended well, and undone otherwise."""
        async with self._writer() as driver:
            await driver.begin()
            try:
                yield Connection(driver, self._statements)
            except BaseException:
                with suppress(Exception):  # the first error says more; the connection is not used again
                    await driver.rollback()
                raise
            await driver.commit()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection to read with."""
        with self.translating():
            async with self._readers.connection() as driver:
                yield Connection(driver, self._statements)

    async def write(self, work: Work[Done]) -> Done:
        """`writing` for work that awaits nothing but its connection: much cheaper on SQLite, where it runs on the connection's thread.

        Whoever is cancelled meanwhile does not know whether it is done.
        """
        async with self._writer() as driver:
            return await driver.transact(lambda running: work(Connection(running, self._statements)))

    async def write_once(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Run one statement for these rows, durably: it is its own transaction, without a BEGIN and a COMMIT."""
        async with self._writer() as driver:
            return await Connection(driver, self._statements).execute(statement, rows)

    async def read(self, work: Work[Done]) -> Done:
        """`reading` for such work."""
        with self.translating():
            async with self._readers.connection() as driver:
                return await driver.together(lambda running: work(Connection(running, self._statements)))

    @asynccontextmanager
    async def listening(self, channel: str, on_notify: Callable[..., None]) -> AsyncIterator[asyncio.Event]:
        """PostgreSQL's LISTEN, on a connection of its own; the event is set when it breaks."""
        broken = asyncio.Event()
        with self.translating():
            connection: Any = await self._engine.connect()
            try:
                connection.driver.add_termination_listener(lambda _connection: broken.set())
                await connection.driver.add_listener(channel, on_notify)
                yield broken
            finally:
                connection.driver.terminate()

    def insert(self, table: Table) -> Any:
        """The engine's INSERT, for its `on_conflict_…`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    @asynccontextmanager
    async def _writer(self) -> AsyncIterator[Driver]:
        """A connection that writes, for one transaction."""
        with self.translating():
            async with self._writers.connection() as driver:
                yield driver
                if self._checkpoints is not None:
                    self._checkpoints.committed()

    @contextmanager
    def translating(self) -> Iterator[None]:
        """The database's errors as ours, in the driver's own words and without the statement."""
        self._refuse_if_gone()
        try:
            yield
        except BridgeError:
            raise
        except Exception as error:
            for cause in _causes(error):
                if meaning := self._engine.meaning(cause):
                    raise meaning(f"{_TOLD.get(meaning, _UNAVAILABLE)}: {_words(cause)}") from error
            raise

    async def close(self) -> None:
        """Close every connection."""
        try:
            if self._checkpoints is not None:
                await self._checkpoints.close()
        finally:
            await self._writers.close()
            await self._readers.close()

    def _refuse_if_gone(self) -> None:
        """SQLite would go on writing into a file that was moved or removed: those deliveries would be acknowledged and lost."""
        if self._file is not None and not self._file.is_there():
            raise StoreUnavailable(
                f"the database file {self._file.path} is gone, or another one lies in its place; put it back, or stop the "
                "bridge, remove its -wal and -shm files, and start it again"
            )


class _File:
    """The database's file. Another one in its place is refused: the old one's write-ahead log would be played into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inode: int | None = None

    def is_there(self) -> bool:
        """Whether it is still the file that was first seen; before that, the migration is to make it."""
        try:
            inode = self.path.stat().st_ino
        except OSError:
            return self._inode is None
        if self._inode is None:
            self._inode = inode
        return self._inode == inode


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error itself, and the driver's own that SQLAlchemy has wrapped."""
    wrapped = getattr(error, "orig", None)
    yield from (each for each in (getattr(wrapped, "__cause__", None), wrapped, error) if each is not None)


def _words(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


async def many(connection: Connection, statement: Insert | Updates, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert or update every row; none is fine."""
    given = list(rows)
    if not given:
        return
    if isinstance(statement, Updates):
        await connection.update(statement, given)
    else:
        await connection.execute(statement, given)
