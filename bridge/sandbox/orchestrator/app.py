"""The application: the table of operations at the root and under a tenant's path, and the sandbox's own endpoints."""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from bridge.sandbox.orchestrator.answering import Answering, Sleep, failure_response
from bridge.sandbox.orchestrator.control import Control
from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from bridge.sandbox.orchestrator.endpoints.operation import Operation
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.page import Page
from bridge.sandbox.orchestrator.world import World

TENANT = "/{org}/{tenant}/orchestrator_"
"""Where the cloud and Automation Suite have what a standalone server has at its root."""


def create_app(world: World, *, sleep: Sleep = asyncio.sleep) -> Starlette:
    """The sandbox over one world. `sleep` is what latency waits with; `drop` and `hang` need `sandbox_serving`."""

    def route(operation: Operation) -> Route:
        return Route(operation.path, Answering(world, operation, sleep), methods=[operation.method])

    async def refuse(_request: Request, error: Exception) -> Response:
        """A path or a method that is not in the table."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        headers = error.headers if isinstance(error, HTTPException) else None
        return failure_response(world, Failure(status, 0, f"There is no such operation ({status}).", headers))

    tenant = Mount(TENANT, routes=[route(operation) for operation in OPERATIONS if operation.prefixed])
    routes = [*map(route, OPERATIONS), tenant, *Control(world).routes(), *Page(world).routes()]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse})
