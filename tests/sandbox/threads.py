"""A sandbox in a thread of its own, for tests that are not coroutines."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from bridge.sandbox.orchestrator import World, sandbox_serving
from tests.driving import PATIENCE_S


@contextmanager
def sandbox_in_thread(world: World) -> Iterator[str]:
    """The base URL of a sandbox that is served until the block ends."""
    started: Future[str] = Future()
    stop = asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        try:
            async with sandbox_serving(world) as url:
                started.set_result(url)
                await stop.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        yield started.result(timeout=PATIENCE_S)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=PATIENCE_S)
        loop.close()
