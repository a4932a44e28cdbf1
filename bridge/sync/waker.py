"""A loop that works whenever it is woken, and outlives a database that is away."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bridge.errors import StoreUnavailable

_log = structlog.get_logger()

RETRY_S = 1.0
"""How long a loop waits for a database that does not answer."""


class Waker:
    """Runs `work` once for any number of wakes that came since it began; never twice at the same time."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._woken = asyncio.Event()
        self._away = False
        self.stopping = False

    def wake(self) -> None:
        """There may be work."""
        self._woken.set()

    async def run(self) -> None:
        """Work until stopped."""
        while not self.stopping:
            await self._woken.wait()
            self._woken.clear()
            if not self.stopping:
                await self._once()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what it does is done."""
        self.stopping = True
        self._woken.set()

    async def _once(self) -> None:
        try:
            await self._work()
        except StoreUnavailable as error:
            if not self._away:
                _log.warning(f"{self._name} waits for the database", error=str(error))
            self._away = True
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
        except Exception:  # noqa: BLE001 - the loop of a service goes on; what it could not do is still due
            _log.exception(f"{self._name} met a mistake of ours")
            asyncio.get_running_loop().call_later(RETRY_S, self.wake)
        else:
            if self._away:
                _log.info(f"{self._name} has the database back")
            self._away = False
