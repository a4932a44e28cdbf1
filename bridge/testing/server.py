"""A server in a thread with an event loop of its own, which serves tests with a loop and without one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.sandbox.orchestrator import SERVING_OPTIONS
from bridge.serving import serving

T = TypeVar("T")

PATIENCE_S = 30
"""How long a call into the server's thread may take."""


class ThreadServer:
    """It is started once in a session, and serves one test's application after another's."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._app: ASGIApp = Response(status_code=503)
        self.url = self.run(self._stack.enter_async_context(serving(self._answer, **SERVING_OPTIONS)))

    def serve(self, app: ASGIApp) -> None:
        """This application from now on."""
        self._app = app

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the server's thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def do(self, work: Callable[[], T]) -> T:
        """Do something between two requests."""

        async def between() -> T:
            return work()

        return self.run(between())

    def stop(self) -> None:
        """End the server and its thread."""
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


@contextmanager
def thread_server(name: str) -> Iterator[ThreadServer]:
    """A server that runs until the block ends."""
    server = ThreadServer(name)
    try:
        yield server
    finally:
        server.stop()
