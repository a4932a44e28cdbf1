"""The memory for webhooks that are under way."""

import asyncio

import pytest

from bridge.web.room import EACH, REFUSED_AFTER_S, NoRoom, Place, Room
from tests.hasty import Hasty, in_no_time


def test_a_body_that_came_in_parts_is_held_once() -> None:
    room = Room(EACH + 10)
    with Place(room) as place:
        for part in (b"12345", b"67", b"890"):
            place.put(part)
        assert place.body() == b"1234567890"
        assert place.body() is place.body()


def test_what_does_not_fit_is_refused_and_leaves_its_place_to_others() -> None:
    room = Room(EACH + 10)
    with Place(room) as place:
        place.put(b"12345")
        place.put(b"678901")
        with pytest.raises(NoRoom):
            place.body()
        with Place(room) as other:
            other.put(b"1234567890")
            assert other.body() == b"1234567890"


def test_whoever_is_refused_waits_unless_too_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.web.room._MOST_WAITING", 2)

    async def three(loop: Hasty) -> None:
        room = Room(1)
        first, second = (asyncio.create_task(room.turn_away()) for _ in range(2))
        await asyncio.sleep(0)
        await room.turn_away()  # at once
        await loop.move(REFUSED_AFTER_S - 1)
        assert not first.done()
        first.cancel()  # its connection has ended
        await loop.move(0)
        third = asyncio.create_task(room.turn_away())
        await loop.move(1)
        assert (second.done(), third.done()) == (True, False)
        await loop.move(REFUSED_AFTER_S)
        assert third.done()

    in_no_time(three)
