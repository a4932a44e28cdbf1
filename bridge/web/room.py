"""The memory for webhooks that are under way: what does not fit is refused, so that what is held can be answered."""

import asyncio
from typing import Self

import structlog

EACH = 16 * 1024
"""Bytes that a request takes beside its body."""

REFUSED_AFTER_S = 2.0
"""How long whoever is refused waits for its answer. It would send the next webhook at once, and reading what is refused takes a third of
the time that an acknowledgement takes."""

_MOST_WAITING = 2000

_log = structlog.get_logger()


class NoRoom(Exception):
    """More webhooks are under way than can be held."""


class Room:
    """Holds requests of so many bytes together. What a request is going to take is not known: it takes what has come."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._full = False
        self._waiting = 0

    def take(self, size: int) -> bool:
        """Whether so much more could be taken."""
        if self._held + size <= self._limit:
            self._held += size
            return True
        if not self._full:
            _log.error("webhooks refused: more are under way than can be held", bytes=self._held, limit=self._limit)
        self._full = True
        return False

    def free(self, size: int) -> None:
        """So much is held no more."""
        self._held -= size
        self._full = self._full and self._held > self._limit // 2

    async def turn_away(self) -> None:
        """Keep whoever is refused waiting, unless too many are: it holds nothing here but its connection."""
        if self._waiting < _MOST_WAITING:
            self._waiting += 1
            try:
                await asyncio.sleep(REFUSED_AFTER_S)
            finally:
                self._waiting -= 1


class Place:
    """What has come of one request's body, until it is answered.

    If it does not fit it is read on, and dropped: whoever is cut off sees no answer.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._chunks: list[bytes] = []
        self._size = 0
        self._fits = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """The request is answered."""
        self.clear()

    def put(self, chunk: bytes) -> None:
        """More of the body has come."""
        size = len(chunk) if self._chunks else len(chunk) + EACH
        self._fits = self._fits and self._room.take(size)
        if self._fits:
            self._chunks.append(chunk)
            self._size += size
        else:
            self.clear()

    def body(self) -> bytes:
        """All that has come. Raises `NoRoom`."""
        if not self._fits:
            raise NoRoom("more webhooks are under way than can be held")
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]  # it is not held twice
        return self._chunks[0]

    def clear(self) -> None:
        """Nothing of it is held any more."""
        self._room.free(self._size)
        self._chunks.clear()
        self._size = 0
