"""A pool of connections: each has one user at a time, and whoever comes when all are taken waits for a turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, Protocol, TypeVar

from bridge.errors import StoreUnavailable


class Pooled(Protocol):
    """What the pool asks of a connection."""

    def is_idle(self) -> bool:
        """Whether it is open, nothing runs on it and no transaction is: another one can have it."""

    async def close(self) -> None:
        """End it, and whatever runs on it."""


Each = TypeVar("Each", bound=Pooled)


class Pool(Generic[Each]):
    """At most `size` connections, made by `connect` when they are wanted. Nobody waits longer than `patience_s` for a turn."""

    def __init__(self, connect: Callable[[], Awaitable[Each]], size: int, patience_s: float) -> None:
        self._connect = connect
        self._patience_s = patience_s
        self._places = asyncio.Semaphore(size)
        self._idle: list[Each] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._keeps = True

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Each]:
        """A connection. One that is not idle afterwards is closed. Raises `StoreUnavailable` when it takes too long to come."""
        await self._turn()
        try:
            connection = self._ready() or await self._connect()
            try:
                yield connection
            finally:
                self._take_back(connection)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close every connection that nobody has; those that somebody has are closed when they come back."""
        self._keeps = False
        while self._idle:
            self._end(self._idle.pop())
        await asyncio.gather(*self._closing)

    async def _turn(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await self._places.acquire()
        except TimeoutError:
            raise StoreUnavailable(f"no connection to the database was free for {self._patience_s:g} s") from None

    def _ready(self) -> Each | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_idle():
                return connection
            self._end(connection)
        return None

    def _take_back(self, connection: Each) -> None:
        if self._keeps and connection.is_idle():
            self._idle.append(connection)
        else:
            self._end(connection)

    def _end(self, connection: Each) -> None:
        """Close it beside everything else: whoever was cancelled is not to wait for it."""
        closing = asyncio.create_task(_close(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


async def _close(connection: Pooled) -> None:
    with suppress(Exception):  # it may be broken; whoever it broke for has been told
        await connection.close()
