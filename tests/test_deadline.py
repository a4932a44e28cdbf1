"""The deadline of a webhook's body."""

import asyncio

import pytest

from bridge.web.deadline import Deadline
from tests.hasty import Hasty, in_no_time

pytestmark = pytest.mark.anyio


async def test_what_ends_in_time_ends_as_it_does() -> None:
    with Deadline(60):
        await asyncio.sleep(0)
    with pytest.raises(ValueError, match="its own"), Deadline(60):
        raise ValueError("its own")


async def test_what_takes_too_long_is_a_timeout() -> None:
    with pytest.raises(TimeoutError), Deadline(0):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_somebody_elses_cancellation_is_no_timeout() -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        with Deadline(60):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_each_of_many_has_its_own_time() -> None:
    """One timer serves them all: it goes on to the next, and whoever has ended meanwhile is not cut."""

    async def three(loop: Hasty) -> None:
        deadline, gate = Deadline(60), asyncio.Event()

        async def wait(within: asyncio.Event) -> str:
            try:
                with deadline:
                    await within.wait()
            except TimeoutError:
                return "late"
            await gate.wait()
            return "in time"

        never, soon = asyncio.Event(), asyncio.Event()
        first, ended = asyncio.create_task(wait(never)), asyncio.create_task(wait(soon))
        await loop.move(40)
        soon.set()
        second = asyncio.create_task(wait(never))
        await loop.move(40)
        assert first.done()
        assert not second.done()
        await loop.move(40)
        assert second.done()
        gate.set()
        assert [await task for task in (first, ended, second)] == ["late", "in time", "late"]
        third = asyncio.create_task(wait(never))
        await loop.move(40)
        assert not third.done()
        await loop.move(40)
        assert third.done(), "it is looked after again once nobody was left"
        assert await third == "late"

    in_no_time(three)
