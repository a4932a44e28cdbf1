"""The database: SQLite in memory behind the interface of `bridge.store.Database`, with a checkpoint before every statement and commit.

Transactions follow one another: what PostgreSQL does when two of them overlap cannot be shown here.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from sqlalchemy import Executable, Table, create_engine, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import StaticPool

from bridge.errors import StoreUnavailable
from bridge.store import Connection, Database
from bridge.store.database import Done, Work
from bridge.store.sqlite import OnTheThread, Sqlite
from bridge.store.statements import Rows, Statements, Updates
from bridge.store.tables import metadata
from tests.simulation.chaos import Chaos
from tests.simulation.host import Host
from tests.simulation.plan import EPOCH, Stage

_PENDING = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 'pending')"
_DUE = "SELECT min(max(due_at, coalesce(leased_until, 0))) FROM links WHERE due_at IS NOT NULL"

_POLLED = "SELECT json_extract(place, '$.began') FROM cursors WHERE name = 'poll/jira'"


class Server:
    """One database server in this process, used by one world after another."""

    def __init__(self) -> None:
        engine = create_engine("sqlite://", poolclass=StaticPool, isolation_level="AUTOCOMMIT")
        metadata.create_all(engine)
        self.connection = engine.connect()
        self._driver = cast("Any", self.connection.connection.dbapi_connection)
        self.execute = Connection(
            OnTheThread(self._driver), Statements(Sqlite(make_url("sqlite://"), 0).dialect)
        ).execute
        """Runs a statement as the bridge does."""
        self._tables = [table.name for table in reversed(metadata.sorted_tables)]
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._holder: Transaction | None = None
        self.on_commit: Callable[[], None] = lambda: None
        self.listeners: list[Callable[..., None]] = []
        """Whoever listens (`LISTEN`); a note may be lost."""
        self._notes: list[tuple[str, str]] = []
        self._driver.create_function("pg_notify", 2, lambda *note: self._notes.append(note))

    def reset(self) -> None:
        """Empty, as for the next world."""
        self.on_commit = lambda: None
        self.listeners.clear()
        self._waiting.clear()
        if self._holder is not None:
            self.leave(self._holder, commit=False)
        for table in self._tables:
            self.raw(f"DELETE FROM {table}")  # noqa: S608 - our own tables

    def raw(self, statement: str) -> Any:
        """Run a statement without anybody's leave."""
        return self._driver.execute(statement)

    def pending(self) -> bool:
        """Whether a delivery waits for an intake."""
        return bool(self.raw(_PENDING).fetchone()[0])

    def next_due(self) -> float | None:
        """When a link is due and free, in epoch seconds."""
        found = self.raw(_DUE).fetchone()[0]
        return None if found is None else found / 1000

    def polled_at(self) -> float:
        """When the last poll began that came to its end, in seconds of the simulation."""
        found = self.raw(_POLLED).fetchone()
        return -1.0 if found is None else found[0] / 1000 - EPOCH.timestamp()

    async def enter(self, transaction: "Transaction") -> None:
        """Wait for all transactions before."""
        while self._holder is not None:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
            if transaction.host.dead:
                self._next()
                await transaction.host.alive()
        self._holder = transaction
        if transaction.writes:
            self.raw("BEGIN")

    def leave(self, transaction: "Transaction", *, commit: bool) -> None:
        """End a transaction, if it has not been ended already."""
        if self._holder is not transaction:
            return
        if transaction.writes:
            self.raw("COMMIT" if commit else "ROLLBACK")
        self._notify(transaction, commit=commit)
        self._holder = None
        self._next()
        if transaction.writes and commit:
            self.on_commit()

    def _notify(self, transaction: "Transaction", *, commit: bool) -> None:
        """Tell the listeners what a transaction said, once it is committed."""
        notes, self._notes = self._notes, []
        for channel, what in notes if commit else ():
            for heard in self.listeners:
                if not transaction.loses_notes():
                    asyncio.get_running_loop().call_soon(heard, None, 0, channel, what)

    def _next(self) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                break

    def forget(self, host: Host) -> None:
        """The server notices that a client has died: its transaction is undone."""
        if self._holder is not None and self._holder.host is host:
            self.leave(self._holder, commit=False)


class Transaction:
    """One transaction of one host, as its connection."""

    def __init__(self, server: Server, host: Host, chaos: Chaos, *, writes: bool) -> None:
        self._server = server
        self._chaos = chaos
        self.host = host
        self.writes = writes

    async def begin(self) -> None:
        await self._checkpoint("begin")
        await self._server.enter(self)
        await self.host.alive()

    async def execute(self, statement: Any, parameters: Any = ()) -> Any:
        await self._checkpoint("statement")
        if isinstance(parameters, Mapping) and parameters.get("limit", 0) < 0:
            raise ValueError("LIMIT must not be negative")  # says PostgreSQL; to SQLite it would be no limit at all
        return await self._server.execute(statement, parameters)

    async def update(self, updates: Updates, rows: Sequence[Mapping[str, Any]]) -> None:
        """As SQLite does."""
        await self.execute(updates.one, rows)

    async def end(self) -> None:
        """Commit, and answer."""
        if not self.writes:
            self._server.leave(self, commit=True)
            return
        await self._checkpoint("commit")
        self._server.leave(self, commit=True)
        await self._checkpoint("committed")

    def undo(self) -> None:
        self._server.leave(self, commit=False)

    def loses_notes(self) -> bool:
        return self._chaos.loses()

    async def _checkpoint(self, stage: Stage) -> None:
        host, chaos = self.host, self._chaos
        if host.dead or host.over:
            await host.alive()
        if chaos.over:
            return
        if latency := chaos.latency():
            await host.sleep(latency)
        chaos.strike(host, stage)
        if host.dead:
            await host.alive()
        if chaos.is_cut(host):
            raise StoreUnavailable("the database cannot be reached")
        if slip := chaos.slip(host, stage):
            await host.sleep(slip.wait)
            if not slip.wait:
                raise StoreUnavailable(f"the connection broke at {stage}")


class SimulatedDatabase(Database):
    """A replica's database, on a server that it shares with the others."""

    def __init__(self, server: Server, host: Host, chaos: Chaos, *, is_sqlite: bool) -> None:
        self._server = server
        self._host = host
        self._chaos = chaos
        self.is_sqlite = is_sqlite
        self.display = "simulated"
        self._file = None
        self._engine = Sqlite(make_url("sqlite://"), 0)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._transaction(writes=True) as transaction:
            yield cast("Connection", transaction)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._transaction(writes=False) as transaction:
            yield cast("Connection", transaction)

    async def write(self, work: Work[Done]) -> Done:
        async with self.writing() as connection:
            return await work(connection)

    async def write_once(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> Rows:
        return await self.write(lambda connection: connection.execute(statement, rows))

    async def read(self, work: Work[Done]) -> Done:
        async with self.reading() as connection:
            return await work(connection)

    @asynccontextmanager
    async def listening(self, channel: str, on_notify: Callable[..., None]) -> AsyncIterator[asyncio.Event]:
        del channel
        self._server.listeners.append(on_notify)
        yield asyncio.Event()

    def insert(self, table: Table) -> Any:
        return sqlite.insert(table)

    async def close(self) -> None:
        """The server stays."""

    @asynccontextmanager
    async def _transaction(self, *, writes: bool) -> AsyncIterator[Transaction]:
        transaction = Transaction(self._server, self._host, self._chaos, writes=writes)
        with self.translating():
            try:
                await transaction.begin()
                yield transaction
                await transaction.end()
            except BaseException:
                transaction.undo()
                raise
