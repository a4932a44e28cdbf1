"""Serving the sandbox over a real socket, with a protocol that lets a fault cut the connection under a request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from bridge.sandbox.orchestrator.app import create_app
from bridge.sandbox.orchestrator.delivering import delivering
from bridge.sandbox.orchestrator.world import World
from bridge.serving import Protocol, serving


class _Protocol(Protocol):
    """uvicorn's protocol; every request can find the transport that it came over."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


SERVING_OPTIONS: dict[str, Any] = {"http": _Protocol}
"""What `bridge.serving.serving` needs beside the application, for `drop` and `hang` to work."""


@asynccontextmanager
async def sandbox_serving(
    world: World,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[str]:
    """The sandbox's base URL while it is served, and its webhooks called. Stopping it cuts what hangs.

    Raises `OSError` if the address is taken.
    """
    async with delivering(world), serving(create_app(world, sleep=sleep), host, port, **SERVING_OPTIONS) as url:
        try:
            yield url
        finally:
            world.faults.release()
