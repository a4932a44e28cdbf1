"""Timeouts that hardly ever come, such as a client's that stopped halfway: a timer of the event loop for each costs 2 µs."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Timeouts(Generic[Key]):
    """Timeouts of one length. Whoever began first is due first, so one timer is enough for all.

    `on_due` is called with whoever has not ended within so many seconds.
    """

    def __init__(self, seconds: float, on_due: Callable[[Key], None]) -> None:
        self._seconds = seconds
        self._on_due = on_due
        self._due_at: dict[Key, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, key: Key) -> None:
        """Its time begins; it is not under way yet."""
        loop = asyncio.get_running_loop()
        self._due_at[key] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)

    def end(self, key: Key) -> None:
        """It has ended in time, or was due already."""
        self._due_at.pop(key, None)

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        while self._due_at:
            key, due_at = next(iter(self._due_at.items()))
            if due_at > loop.time():
                self._timer = loop.call_at(due_at, self._look)
                return
            del self._due_at[key]
            self._on_due(key)
