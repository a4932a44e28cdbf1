"""PostgreSQL, by asyncpg: several connections, to one server that several replicas use."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import asyncpg
from sqlalchemy import URL

from bridge.errors import BridgeError, ConstraintViolated, Deadlock, StoreUnavailable, Unstorable
from bridge.store.driver import Answer, Done, Running, Values

_DEADLOCK = "40P01"
_CONSTRAINT = "23"
_OF_THE_VALUE = ("22", "54")
"""SQLSTATE classes that speak of the data, not of the server: PostgreSQL, appendix A."""

_KEPT_STATEMENTS = 100
_END_WITHIN_S = 5


class PostgreSQL:
    """A PostgreSQL database. What is not in a transaction is committed by itself."""

    def __init__(self, url: URL, connect_timeout_s: float, command_timeout: timedelta | None) -> None:
        self.dialect = url.set(drivername="postgresql+asyncpg").get_dialect()()
        _, options = self.dialect.create_connect_args(url)
        kept = options.pop("prepared_statement_cache_size", _KEPT_STATEMENTS)  # PgBouncer may want 0
        self._options = {
            **options,
            "statement_cache_size": kept,
            "timeout": connect_timeout_s,
            "command_timeout": command_timeout and command_timeout.total_seconds(),
            "server_settings": {"synchronous_commit": "on", "application_name": "bridge"},
        }

    async def connect(self) -> "PostgreSQLConnection":
        """A connection to the server."""
        return PostgreSQLConnection(await asyncpg.connect(**self._options))

    def meaning(self, error: BaseException) -> type[BridgeError] | None:
        """What an error of the driver is to us."""
        if isinstance(error, asyncpg.PostgresError):
            state = error.sqlstate or ""
            if state == _DEADLOCK:
                return Deadlock
            if state.startswith(_CONSTRAINT):
                return ConstraintViolated
            return Unstorable if state.startswith(_OF_THE_VALUE) else StoreUnavailable
        if isinstance(error, asyncpg.DataError | OverflowError | UnicodeError):
            return Unstorable
        if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError | OSError):
            return StoreUnavailable
        return None


class PostgreSQLConnection:
    """A connection. One that has not answered in time, or whose answer nobody waited for, is not asked again."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self._owes_an_answer = False

    async def begin(self) -> None:
        """Begin a transaction."""
        await self._answer(self.driver.execute("BEGIN"))

    async def run(self, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        """Run a statement for each of these, in one round."""
        if len(values) != 1:
            many = self.driver.fetchmany if returns else self.driver.executemany
            return Answer((), await self._answer(many(sql, values)) or (), -1)
        if returns:
            rows = await self._answer(self.driver.fetch(sql, *values[0]))
            return Answer(tuple(rows[0].keys()) if rows else (), rows, len(rows))
        return Answer((), (), _count(await self._answer(self.driver.execute(sql, *values[0]))))

    async def commit(self) -> None:
        """Commit."""
        if await self._answer(self.driver.execute("COMMIT")) != "COMMIT":
            raise StoreUnavailable("PostgreSQL has undone the transaction instead of committing it")

    async def rollback(self) -> None:
        """Undo; a connection that owes an answer is closed instead, which undoes it too."""
        if not self._owes_an_answer and self.driver.is_in_transaction():
            await self._answer(self.driver.execute("ROLLBACK"))

    async def transact(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """Begin, do the work, commit."""
        await self.begin()
        try:
            done = await work(self)
        except BaseException:
            with suppress(Exception):  # the work's own error says more
                await self.rollback()
            raise
        await self.commit()
        return done

    async def together(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """Do the work without a transaction."""
        return await work(self)

    def is_idle(self) -> bool:
        """Whether it is open, owes no answer and is in no transaction."""
        return not (self._owes_an_answer or self.driver.is_closed() or self.driver.is_in_transaction())

    async def close(self) -> None:
        """End it."""
        await self.driver.close(timeout=_END_WITHIN_S)

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        try:
            return await asked
        except (asyncio.CancelledError, OSError):  # a timeout is one, too
            self._owes_an_answer = True
            raise


def _count(status: str) -> int:
    """The number that a command's tag ends with, such as `UPDATE 3`."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else -1
