"""Signals between the processes on one PostgreSQL: what one has written wakes the others at once. Polling stays the net beneath.

A signal is sent in the transaction that it speaks of, or after it: who hears it sees what it is about. On SQLite there is one process.

Every signal is a transaction that waits for the disk, and PostgreSQL commits those that send one after another. So a commit of
deliveries does not wait for its signal, and many of them have one together.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog
from sqlalchemy import Text, bindparam, func, select

from bridge.errors import StoreUnavailable
from bridge.store.database import Connection, Database

CHANNEL = "bridge"
DUE = "links due"
"""No source has a name like that."""

_RETRY_S = 1.0
_BETWEEN_S = 0.05

_log = structlog.get_logger()

_NOTIFY = select(func.pg_notify(CHANNEL, bindparam("payload", type_=Text)))

Heard = Callable[[str | None], None]
"""Called with a source that has new deliveries, with `DUE` for links, and with None when anything may have been missed."""


class Signals:
    """Sends and hears. `sender` is this process's name: it does not hear itself."""

    def __init__(self, database: Database, sender: str) -> None:
        self._database = database
        self._sender = sender
        self._untold: set[str] = set()
        self._to_tell = asyncio.Event()

    async def delivered(self, connection: Connection, source: str) -> None:
        """A source has new deliveries."""
        await self._send(connection, f"source {source}")

    def stored(self, sources: Iterable[str]) -> None:
        """Sources have new deliveries, which are committed: `tell` sends it."""
        self._untold.update(sources)
        if self._untold:
            self._to_tell.set()

    async def due(self, connection: Connection) -> None:
        """Links are due."""
        await self._send(connection, DUE)

    async def tell(self) -> None:
        """Send what was `stored` until cancelled: at once, or shortly after what was told last."""
        while not self._database.is_sqlite:
            await self._to_tell.wait()
            self._to_tell.clear()
            told, self._untold = self._untold, set()
            with suppress(StoreUnavailable):  # who does not hear of them finds them all the same
                async with self._database.reading() as connection:
                    for source in told:
                        await self.delivered(connection, source)
            await asyncio.sleep(_BETWEEN_S)

    async def listen(self, heard: Heard) -> None:
        """Hear the other processes until cancelled, whatever becomes of the connection."""
        while not self._database.is_sqlite:
            try:
                await self._listen(heard)
            except StoreUnavailable as error:
                _log.debug("signals wait for the database", error=str(error))
            await asyncio.sleep(_RETRY_S)

    async def _send(self, connection: Connection, what: str) -> None:
        if not self._database.is_sqlite:
            await connection.execute(_NOTIFY, {"payload": f"{self._sender} {what}"})

    async def _listen(self, heard: Heard) -> None:
        def on_notify(_connection: object, _pid: int, _channel: str, payload: object) -> None:
            sender, _, what = str(payload).partition(" ")
            if sender != self._sender:
                heard(what.removeprefix("source "))

        async with self._database.listening(CHANNEL, on_notify) as broken:
            heard(None)
            await broken.wait()
