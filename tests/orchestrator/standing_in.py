"""A server that answers what it is told and remembers what it was asked, and a client of it whose requests the definition judges."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.config import Orchestrator as OrchestratorConfig
from bridge.orchestrator import Orchestrator
from bridge.serving import serving
from tests.values import NOW

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def now() -> datetime:
    return NOW


@dataclass
class Asked:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class StandIn:
    """Answers by a function of the request."""

    answer: Callable[[Request], Response]
    asked: list[Asked] = field(default_factory=list)

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        query = unquote(request.url.query)
        path = request.url.path + (f"?{query}" if query else "")
        self.asked.append(Asked(request.method, path, dict(request.headers), orjson.loads(body) if body else None))
        return self.answer(request)


def json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")


def answering(status: int, value: Any) -> StandIn:
    """One answer to everything; no body if there is no value."""
    return StandIn(lambda _: Response(status_code=status) if value is None else json(value, status))


@asynccontextmanager
async def standing_in(server: StandIn) -> AsyncIterator[Orchestrator]:
    """A client of the server."""
    app = Starlette(routes=[Route("/{path:path}", server.handle, methods=METHODS)])
    async with serving(app) as url, Orchestrator(config(url), now) as orchestrator:
        yield orchestrator


def config(url: str, **changes: Any) -> OrchestratorConfig:
    document = {"url": url, "auth": {"type": "token", "token": "t"}, "timeout": "2s", **changes}
    return OrchestratorConfig.model_validate(document)
