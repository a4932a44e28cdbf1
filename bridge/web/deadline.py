"""`asyncio.timeout` for the busy path, where that one costs as much as the signature: it is two coroutines and a timer made by hand."""

import asyncio
from typing import Self


class Deadline:
    """The block is to end within so many seconds. What it awaits then is cancelled, and `TimeoutError` raised. Entered in a task."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._passed = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._pass)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._timer.cancel()
        if self._passed and self._task is not None and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error  # nobody else has cancelled it

    def _pass(self) -> None:
        self._passed = True
        if self._task is not None:
            self._task.cancel()
