"""Group commit: whoever wants to write while a commit is under way goes into the next one, together with everybody else who waits.

There is one commit in flight and no lingering: at rest a commit holds one item, under load as many as came during the one before.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from bridge.errors import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Writes items in batches. `commit` writes a batch in one transaction and returns a result per item, in their order.

    A batch weighs at most `batch`, and what waits at most `waiting`, as `weigh` says (by default every item weighs 1).
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        weigh: Callable[[Item], int] = lambda _item: 1,
        *,
        batch: int = 500,
        waiting: int = 20_000,
    ) -> None:
        self._commit = commit
        self._weigh = weigh
        self._batch = batch
        self._limit = waiting
        self._weight = 0
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Returns when the item is committed. Raises what the commit raised; then nothing of the item was written."""
        weight = self._weigh(item)
        if self._waiting and self._weight + weight > self._limit:
            raise StoreUnavailable("more is waiting to be written than can be held")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._weight += weight
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def lull(self, within: timedelta) -> None:
        """Returns when nobody waits for a commit, at the latest after this long."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=within.total_seconds())

    def _next(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """What fits into one batch; one item always does."""
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        weight = 0
        while self._waiting and (not batch or weight + self._weigh(self._waiting[0][0]) <= self._batch):
            batch.append(self._waiting.popleft())
            weight += self._weigh(batch[-1][0])
        self._weight -= weight
        return batch

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._write(self._next())
        finally:
            self._running = None

    async def _write(self, batch: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._commit([item for item, _ in batch])
        except StoreUnavailable as error:
            _fail(batch, error)
        except Exception as error:  # noqa: BLE001 - it is handed to those who wait
            if len(batch) == 1:
                _fail(batch, error)
            else:  # one item that cannot be written must not take the others with it
                for single in batch:
                    await self._write([single])
        else:
            for (_, future), result in zip(batch, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _fail(batch: Sequence[tuple[object, asyncio.Future[Any]]], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
