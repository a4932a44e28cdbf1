"""`asyncio.timeout` for the busy path, where that one costs as much as the signature: it is two coroutines and a timer for each use."""

import asyncio
from typing import Any, Self

from bridge.timeouts import Timeouts

_Task = asyncio.Task[Any] | None


class Deadline:
    """A block that is to end within so many seconds. What it awaits then is cancelled, and `TimeoutError` raised.

    Any number of tasks may be in it.
    """

    def __init__(self, seconds: float) -> None:
        self._timeouts: Timeouts[_Task] = Timeouts(seconds, self._cut)
        self._cut_off: set[_Task] = set()

    def __enter__(self) -> Self:
        self._timeouts.begin(asyncio.current_task())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        task = asyncio.current_task()
        self._timeouts.end(task)
        if task in self._cut_off and task is not None:
            self._cut_off.remove(task)
            if task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError from error  # nobody else has cancelled it

    def _cut(self, task: _Task) -> None:
        self._cut_off.add(task)
        if task is not None:
            task.cancel()
