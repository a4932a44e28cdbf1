"""Checkpoints: SQLite's write-ahead log is moved into the file beside the commits, not at the end of one that everybody waits for.

A connection of its own copies what some hundred changes have left in the log, while more is committed: so little that hardly a commit
waits for the disk with it. Now and then the next commit copies what has come meanwhile, as it would by SQLite's own rule, and the log
begins anew.

Copying never begins when there is nothing to copy: that, while another connection commits, is what can lose commits before SQLite
3.51.3 (https://sqlite.org/wal.html#the_wal_reset_bug). So it begins when there are changes of this process that nothing has copied,
and once at a time.
"""

import asyncio
from pathlib import Path

import structlog

from bridge.store.sqlite import LONGEST_LOG, Sqlite, SqliteConnection

COPIED_AFTER = 1000
"""Rows that are changed before they are copied."""

ANEW_AFTER = 5000
"""Rows that are written before the log begins anew, if nobody reads it then: some 15 MB. A longer one is slower."""

_COPY = "PRAGMA wal_checkpoint(PASSIVE)"
"""As much as can be copied without waiting for anybody, and with nobody waiting."""

_log = structlog.get_logger()


class Checkpoints:
    """Moves the log of one file."""

    def __init__(self, sqlite: Sqlite) -> None:
        self._sqlite = sqlite
        self._file = Path(f"{sqlite.path}-wal")
        self._connection: SqliteConnection | None = None
        self.copying: asyncio.Task[None] | None = None
        self._closed = False

    def committed(self) -> None:
        """To be told after every commit."""
        log = self._sqlite.log
        if self.copying is not None or self._closed or log.finishes or log.uncopied <= 0:
            return
        if log.uncopied >= COPIED_AFTER or self._is_long():
            self.copying = asyncio.create_task(self._copy())

    async def close(self) -> None:
        """Let what is under way end."""
        self._closed = True
        if self.copying is not None:
            await self.copying
        if self._connection is not None:
            await self._connection.close()

    def _is_long(self) -> bool:
        """Few changes may be large, and other processes make changes too."""
        try:
            return self._file.stat().st_size > LONGEST_LOG
        except OSError:
            return False

    async def _copy(self) -> None:
        log = self._sqlite.log
        try:
            self._connection = self._connection or await self._sqlite.connect()
            await self._connection.run(_COPY, [()], returns=True)
        except Exception as error:  # noqa: BLE001 - commits go on without it
            _log.warning("the write-ahead log cannot be moved into the database file; it grows", error=str(error))
        else:
            log.finishes = log.written >= ANEW_AFTER or self._is_long()
        finally:
            log.copied = log.written  # if it failed it is tried again, but not after every commit
            self.copying = None
