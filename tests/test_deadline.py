"""The deadline of a webhook's body."""

import asyncio

import pytest

from bridge.web.deadline import Deadline

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
