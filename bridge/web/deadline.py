"""A deadline that many share: one timer for all who wait, because nearly none of them waits for long.

`asyncio.timeout` makes two coroutines and a timer for each, which would cost a webhook as much as its signature.
"""

import asyncio
from typing import Any


class Deadline:
    """A block of a task is to end within so many seconds. What it awaits then is cancelled, and `TimeoutError` raised."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[Any] | None, float] = {}  # as all have equally long, in the order of their ends
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        ends = asyncio.get_running_loop().time() + self._seconds
        self._ends[asyncio.current_task()] = ends
        if self._timer is None:
            self._set(ends)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        task = asyncio.current_task()
        is_late = self._ends.pop(task, None) is None
        if is_late and task is not None and task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error  # nobody else has cancelled it

    def _set(self, ends: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(ends, self._pass)

    def _pass(self) -> None:
        """Cancel whose time has passed, and wait for the next one's."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        for task, ends in list(self._ends.items()):
            if ends > now:
                self._set(ends)
                return
            del self._ends[task]
            if task is not None:
                task.cancel()
