"""A process that can be killed: from then on nothing that it awaits of the world outside ever answers."""

import asyncio
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Host:
    """One life of one replica."""

    number: int
    dead: bool = False
    over: bool = False  # the world has ended: whoever still waits goes
    _graves: list[asyncio.Future[None]] = field(
        default_factory=list
    )  # else they would be collected, and wake up to clean up

    @property
    def name(self) -> str:
        return f"replica {self.number}"

    async def alive(self) -> None:
        """Returns if the process is alive, and never if it was killed."""
        if self.over:
            raise asyncio.CancelledError
        if self.dead:
            self._graves.append(asyncio.get_running_loop().create_future())
            await self._graves[-1]

    async def sleep(self, seconds: float) -> None:
        """Wait; a process that was killed meanwhile waits for ever."""
        if seconds:
            await asyncio.sleep(seconds)
        if self.dead or self.over:
            await self.alive()
