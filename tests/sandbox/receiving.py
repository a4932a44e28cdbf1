"""Somebody who is sent webhooks: a real server that remembers what came, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.serving import serving
from tests.driving import PATIENCE_S


@dataclass
class Received:
    """One call."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


@dataclass
class Receiver:
    """Where it is, what has come, and the status that it gives."""

    url: str = ""
    calls: asyncio.Queue[Received] = field(default_factory=asyncio.Queue)
    status: int = 200
    held: asyncio.Event | None = None

    async def take(self, request: Request) -> Response:
        await self.calls.put(Received(dict(request.headers), await request.body()))
        if self.held is not None:
            await self.held.wait()
        return Response(status_code=self.status)

    async def next(self) -> Received:
        async with asyncio.timeout(PATIENCE_S):
            return await self.calls.get()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    async with serving(app) as url:
        receiver.url = f"{url}/hook"
        yield receiver
