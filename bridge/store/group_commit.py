"""Group commit: whoever wants to write while a commit is under way goes into the next one, together with everybody else who waits.

So many commits as may be are in flight, one by default, and none waits for a time: at rest a commit holds one item, under load as many
as came during the one before, and those of a crowd that has been answered and is back already.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from msgspec import Struct

from bridge.errors import StoreUnavailable

_FEW = 4
"""Items of one commit. More than these come only while many senders wait at once."""

_MOMENT_S = 0.03
"""Longer than a commit of many takes: a crowd that is still there has shown itself again by then."""

_BUSY = 0.65
"""Of one CPU's time. A crowd that waits for the disk leaves time for other work."""

_PATIENCE = 3
"""Passes of the event loop: as many as an answer takes to come back as the next request, where the sender is near and quick."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Waiting(Struct, Generic[Item, Result], frozen=True):
    item: Item
    weight: int
    future: asyncio.Future[Result]


class GroupCommit(Generic[Item, Result]):
    """Writes items in batches. `commit` writes a batch in one transaction and returns a result per item, in their order.

    A batch weighs at most `batch`, and what waits at most `waiting`, as `weigh` says (by default every item weighs 1).
    `at_once` commits may be in flight. If it is one, a crowd that was answered by the last is let in before the next begins.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        weigh: Callable[[Item], int] = lambda _item: 1,
        *,
        batch: int = 500,
        waiting: int = 20_000,
        at_once: int = 1,
    ) -> None:
        self._commit = commit
        self._weigh = weigh
        self._batch = batch
        self._limit = waiting
        self._weight = 0
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._at_once = at_once
        self._running: set[asyncio.Task[Any] | None] = set()
        self._crowded = False  # since somebody last waited for a lull
        self._crowd = 0  # how many have just been answered, and may come back

    async def submit(self, item: Item) -> Result:
        """Returns when the item is committed. Raises what the commit raised; then nothing of the item was written."""
        weight = self._weigh(item)
        if self._waiting and self._weight + weight > self._limit:
            raise StoreUnavailable("more is waiting to be written than can be held")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, weight, future))
        self._weight += weight
        if len(self._running) < self._at_once:
            self._running.add(asyncio.create_task(self._run()))
        return await future

    async def lull(self, within: timedelta) -> bool:
        """Returns when no crowd waits that keeps the CPU busy, at the latest after this long; whether there is none."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while self._crowded and loop.time() < began + within.total_seconds():
            self._crowded = False  # the next commit of many says so again
            since, used = loop.time(), time.process_time()
            await asyncio.sleep(_MOMENT_S)
            if time.process_time() - used < _BUSY * (loop.time() - since):
                return True
        return not self._crowded

    def _next(self) -> list[_Waiting[Item, Result]]:
        """What fits into one batch; one item always does."""
        batch: list[_Waiting[Item, Result]] = []
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= self._batch):
            batch.append(self._waiting.popleft())
            weight += batch[-1].weight
        self._weight -= weight
        self._crowd = len(batch) if len(batch) > _FEW else self._crowd // 2
        self._crowded |= len(batch) > _FEW
        return batch

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                await self._write(self._next())
        finally:
            self._running.remove(asyncio.current_task())

    async def _gather(self) -> None:
        """Wait for those who come back at once: a commit of the first few of them would keep all others waiting."""
        if self._at_once > 1:  # who comes back now is taken by the next one of them
            return
        before = passes = 0
        while passes < _PATIENCE and len(self._waiting) < self._crowd:
            passes = passes + 1 if before == len(self._waiting) else 0
            before = len(self._waiting)
            await asyncio.sleep(0)

    async def _write(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        try:
            results = await self._commit([each.item for each in batch])
        except StoreUnavailable as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - it is handed to those who wait
            if len(batch) == 1:
                _fail(batch, error)
            else:  # one item that cannot be written must not take the others with it
                for single in batch:
                    await self._write([single])
        else:
            for each, result in zip(batch, results, strict=True):
                if not each.future.done():
                    each.future.set_result(result)


def _fail(batch: Sequence[_Waiting[Any, Any]], error: Exception) -> None:
    for each in batch:
        if not each.future.done():
            each.future.set_exception(error)
