"""The memory for webhooks that are under way: what does not fit is refused, so that what is held can be answered."""

from typing import Self

import structlog

EACH = 16 * 1024
"""Bytes that a request takes beside its body."""

_log = structlog.get_logger()


class NoRoom(Exception):
    """More webhooks are under way than can be held."""


class Room:
    """Holds requests of so many bytes together. What a request is going to take is not known: it takes what has come."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._full = False

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
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def clear(self) -> None:
        """Nothing of it is held any more."""
        self._room.free(self._size)
        self._chunks.clear()
        self._size = 0
