"""An asyncio event loop in virtual time: no sockets, no threads, no waiting. When nothing is ready, it jumps to the next timer."""

import asyncio
from typing import Any

_TOO_MANY = 200_000
"""Rounds of the loop without any time passing: whoever needs so many will never end."""


class Spinning(Exception):
    """Something works on and on, and no time passes."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Time is a number that the loop itself moves; the order in which things happen follows from the timers alone."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._rounds = 0
        self._clock_resolution = 1e-9
        self._selector = self  # BaseEventLoop asks its selector to wait: that is us

    def time(self) -> float:
        return self._now

    def select(self, timeout: float | None) -> tuple[()]:
        """Instead of waiting for that long, it is that much later."""
        if timeout is None:
            raise Spinning("nothing is ready, and nothing is awaited")
        self._rounds = 0 if timeout else self._rounds + 1
        if self._rounds > _TOO_MANY:
            raise Spinning("something works on and on, and no time passes")
        self._now += timeout
        return ()

    def _process_events(self, _events: Any) -> None:
        """There are none but timers."""

    def _write_to_self(self) -> None:
        """Nobody waits in another thread."""
