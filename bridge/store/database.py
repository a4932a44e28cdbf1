"""The connection to the database, and the one place where its errors become ours.

SQLite has one writer: its pool of one connection is the queue of the transactions that want to write, each `BEGIN IMMEDIATE`, so that
none of them meets a lock halfway. Readers have connections of their own. PostgreSQL needs no such care.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Table, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from bridge.errors import StoreUnavailable

LOCK_TIMEOUT_S = 5
"""How long a transaction waits for another process's lock before its caller is told that the store is not available."""


class Database:
    """An open database. `writing` and `reading` give connections in a transaction; errors leave them as `StoreUnavailable`."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.display = parsed.render_as_string(hide_password=True)
        self._file: _File | None = None
        if self.is_sqlite:
            self._file = _File(Path(parsed.database or ""))
            self._writer = _sqlite_engine(url, self._file, begin="BEGIN IMMEDIATE", pool_size=1)
            self._reader = _sqlite_engine(url, self._file, begin="BEGIN", pool_size=4)
        else:
            self._writer = self._reader = create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                pool_size=10,
                pool_timeout=LOCK_TIMEOUT_S,
                pool_pre_ping=True,
                connect_args={
                    "timeout": LOCK_TIMEOUT_S,
                    "command_timeout": 30,
                    "server_settings": {"synchronous_commit": "on", "application_name": "bridge"},
                },
            )

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is durable when the block has ended well, and undone otherwise."""
        self._refuse_if_gone()
        with _translated():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database."""
        self._refuse_if_gone()
        with _translated():
            async with self._reader.begin() as connection:
                yield connection

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
            raise StoreUnavailable(f"the database file {self._file.path} is gone; put it back")


class _File:
    """The database's file. `inode` tells which one it is; connections to an earlier one are of no use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inode: int | None = None

    def is_there(self) -> bool:
        """Whether there is a file; before the first one is seen, the migration is to make it."""
        try:
            self.inode = self.path.stat().st_ino
        except OSError:
            return self.inode is None
        return True


class _translated:  # noqa: N801 - reads as the statement that it is
    """Turn the database's errors into ours. A broken constraint is not one of them: it says something about the data."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, IntegrityError):
            return
        if isinstance(error, DBAPIError):
            raise StoreUnavailable(f"the database does not answer as it should: {error.orig}") from error
        if isinstance(error, SQLAlchemyError | sqlite3.Error | OSError):
            raise StoreUnavailable(f"the database cannot be reached: {error}") from error


def _sqlite_engine(url: str, file: _File, *, begin: str, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        make_url(url).set(drivername="sqlite+aiosqlite"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=LOCK_TIMEOUT_S * 2,
        connect_args={"timeout": LOCK_TIMEOUT_S},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, record: ConnectionPoolEntry) -> None:
        record.info["inode"] = file.path.stat().st_ino
        connection.isolation_level = None  # the driver leaves BEGIN to us
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={LOCK_TIMEOUT_S * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine.sync_engine, "checkout")
    def refuse_old_file(_connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if file.inode is not None and record.info["inode"] != file.inode:
            raise DisconnectionError("the file was replaced by another")  # the pool connects anew

    @event.listens_for(engine.sync_engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


async def many(connection: AsyncConnection, statement: Executable, rows: Iterable[Mapping[str, Any]]) -> None:
    """Run a statement for every row; none is fine."""
    parameters = list(rows)
    if parameters:
        await connection.execute(statement, parameters)
