"""`asyncio.timeout` for the busy path, where that one costs as much as the signature: it is two coroutines and a timer for each use."""

import asyncio
from typing import Any, Self


class Deadline:
    """A block that is to end within so many seconds. What it awaits then is cancelled, and `TimeoutError` raised.

    Any number of tasks may be in it. They have equally long, so whoever entered first is late first, and one timer is enough.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[asyncio.Task[Any] | None, float] = {}
        self._late: set[asyncio.Task[Any] | None] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._until[asyncio.current_task(loop)] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        task = asyncio.current_task()
        self._until.pop(task, None)
        if task in self._late and task is not None:
            self._late.remove(task)
            if task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError from error  # nobody else has cancelled it

    def _look(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        for task, until in list(self._until.items()):
            if until > loop.time():
                self._timer = loop.call_at(until, self._look)
                return
            del self._until[task]
            self._late.add(task)
            if task is not None:
                task.cancel()
