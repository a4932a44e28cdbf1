"""The connection to the database, and the one place where its errors become ours.

SQLite has one writer: its pool of one connection is the queue of the transactions that want to write, each `BEGIN IMMEDIATE`, so that
none of them meets a lock halfway. Readers have connections of their own. PostgreSQL needs no such care.

What only reads is in no transaction: each of its statements sees what is committed then, on both engines alike.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bridge.errors import Deadlock, StoreUnavailable, Unstorable
from bridge.store.sqlite import connect as connect_sqlite

LOCK_TIMEOUT_S = 5
"""How long a transaction waits for another process's lock before its caller is told that the store is not available."""

COMMAND_TIMEOUT = timedelta(seconds=30)
"""How long PostgreSQL may take for a statement. A migration of a large table takes as long as it takes."""


class Database:
    """An open database. `writing` and `reading` give connections in a transaction; errors leave them as `StoreUnavailable`."""

    def __init__(self, url: str, command_timeout: timedelta | None = COMMAND_TIMEOUT) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.display = parsed.render_as_string(hide_password=True)
        self._file: _File | None = None
        if self.is_sqlite:
            self._file = _File(Path(parsed.database or ""))
            self._writer = _sqlite_engine(url, writes=True)
            self._reader = _sqlite_engine(url, writes=False)
        else:
            self._writer = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=10,
                pool_timeout=LOCK_TIMEOUT_S,
                hide_parameters=True,
                connect_args={
                    "timeout": LOCK_TIMEOUT_S,
                    "command_timeout": command_timeout and command_timeout.total_seconds(),
                    "server_settings": {"synchronous_commit": "on", "application_name": "bridge"},
                },
            )
            self._reader = self._writer.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block has ended well, and undone otherwise."""
        self._refuse_if_gone()
        with _translated():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read with."""
        self._refuse_if_gone()
        with _translated():
            async with self._reader.connect() as connection:
                yield connection

    @asynccontextmanager
    async def listening(self, channel: str, on_notify: Callable[..., None]) -> AsyncIterator[asyncio.Event]:
        """PostgreSQL's LISTEN, on a connection of its own; the event is set when it breaks."""
        broken = asyncio.Event()
        with _translated():
            async with self._reader.connect() as connection:
                try:
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    driver.add_termination_listener(lambda _connection: broken.set())
                    await _listen(driver, channel, on_notify)
                    yield broken
                finally:
                    await connection.invalidate()  # whoever had it next would listen too, or find it broken

    def insert(self, table: Table) -> Any:
        """The engine's INSERT, for its `on_conflict_…`."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    async def close(self) -> None:
        """Close every connection."""
        await self._writer.dispose()
        await self._reader.dispose()

    def _refuse_if_gone(self) -> None:
        """SQLite would go on writing into a file that was moved or removed: those deliveries would be acknowledged and lost."""
        if self._file is not None and not self._file.is_there():
            raise StoreUnavailable(
                f"the database file {self._file.path} is gone, or another one lies in its place; put it back, or stop the "
                "bridge, remove its -wal and -shm files, and start it again"
            )


async def _listen(driver: Any, channel: str, on_notify: Callable[..., None]) -> None:
    """The driver itself listens, so that its errors come as they are."""
    from asyncpg import InterfaceError, PostgresError  # noqa: PLC0415 - only PostgreSQL needs it

    try:
        await driver.add_listener(channel, on_notify)
    except (InterfaceError, PostgresError) as error:
        raise StoreUnavailable(f"the database does not answer as it should: {_words(error)}") from error


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


class _translated:  # noqa: N801 - reads as the statement that it is
    """Turn the database's errors into ours. A broken constraint is not one of them: it says something about the data."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, IntegrityError):
            return
        if isinstance(error, OverflowError | RecursionError) or _is_of_the_value(error):
            raise Unstorable(f"the database cannot hold it: {_words(error)}") from error
        if isinstance(error, DBAPIError) and _sqlstate(error) == _DEADLOCK:
            raise Deadlock(f"the database undid a transaction: {_words(error)}") from error
        if isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
            raise StoreUnavailable(f"the database does not answer as it should: {_words(error)}") from error


_DEADLOCK = "40P01"
_OF_THE_VALUE = ("22", "54")
"""SQLSTATE classes that speak of the data, not of the server: PostgreSQL, appendix A."""


def _is_of_the_value(error: BaseException | None) -> bool:
    if not isinstance(error, StatementError):
        return False
    if not isinstance(error, DBAPIError):  # a value could not even be made a parameter
        return True
    cause = getattr(error.orig, "__cause__", None)
    return isinstance(error, DataError) or isinstance(cause, ValueError) or _sqlstate(error)[:2] in _OF_THE_VALUE


def _sqlstate(error: DBAPIError) -> str:
    cause = getattr(error.orig, "__cause__", None)
    return getattr(error.orig, "sqlstate", None) or getattr(cause, "sqlstate", None) or ""


def _words(error: BaseException | None) -> str:
    """The driver's own words, without the statement and its parameters."""
    return (
        str(error.orig if isinstance(error, StatementError) else error).splitlines()[0]
        if str(error)
        else type(error).__name__
    )


def _sqlite_engine(url: str, *, writes: bool) -> AsyncEngine:
    engine = create_async_engine(
        make_url(url).set(drivername="sqlite+aiosqlite"),
        pool_size=1 if writes else 4,
        max_overflow=0,
        hide_parameters=True,
        pool_timeout=LOCK_TIMEOUT_S * 2,
        skip_autocommit_rollback=not writes,
        connect_args={"timeout": LOCK_TIMEOUT_S, "async_creator_fn": connect_sqlite},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver leaves BEGIN to us: what we do not begin is committed by itself
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={LOCK_TIMEOUT_S * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Connection) -> None:
            driver: Any = connection.connection.driver_connection
            driver.begin()

    return engine


async def many(connection: AsyncConnection, statement: Executable, rows: Iterable[Mapping[str, Any]]) -> None:
    """Run a statement for every row; none is fine."""
    parameters = list(rows)
    if parameters:
        await connection.execute(statement, parameters)
