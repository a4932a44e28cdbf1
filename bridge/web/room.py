"""The memory for requests that are under way: what does not fit is refused at once, so that what is held can be answered."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

EACH = 16 * 1024
"""Bytes that a request takes beside its body."""

_log = structlog.get_logger()


class NoRoom(Exception):
    """More requests are under way than can be held."""


class Room:
    """Holds requests of so many bytes together. What a request is going to take is not known: it takes what has come."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = 0
        self._full = False

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """A place for one request, until it is answered. Raises `NoRoom` if there is none, as `Place.grow` does."""
        place = Place(self)
        try:
            place.grow(EACH)
            yield place
        finally:
            self._held -= place.size
            self._full = self._full and self._held > self._limit // 2

    def take(self, size: int) -> None:
        """Raises `NoRoom` if it is full."""
        if self._held + size > self._limit:
            if not self._full:
                _log.error("webhooks refused: more are under way than can be held", bytes=self._held, limit=self._limit)
            self._full = True
            raise NoRoom("more webhooks are under way than can be held")
        self._held += size


class Place:
    """What one request takes of a room, in bytes."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def grow(self, by: int) -> None:
        """More of the request has come."""
        self._room.take(by)
        self.size += by
