"""Group commit: whoever wants to write while a commit is under way goes into the next one, together with everybody else who waits.

There is one commit in flight and no lingering: at rest a commit holds one item, under load as many as came during the one before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from bridge.errors import StoreUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


class GroupCommit(Generic[Item, Result]):
    """Writes items in batches. `commit` writes a batch in one transaction and returns a result per item, in their order."""

    def __init__(
        self,
        commit: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        batch: int = 500,
        waiting: int = 20_000,
    ) -> None:
        self._commit = commit
        self._batch = batch
        self._limit = waiting
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Returns when the item is committed. Raises what the commit raised; then nothing of the item was written."""
        if len(self._waiting) >= self._limit:
            raise StoreUnavailable("more is waiting to be written than can be held")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
                await self._write(batch)
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
