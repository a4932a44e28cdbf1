"""The application: the table of operations of one flavour, below each version of the REST API that the flavour has."""

import asyncio
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.answering import Answering, Sleep, failure_response
from bridge.sandbox.jira.endpoints import OPERATIONS
from bridge.sandbox.jira.operation import Operation
from bridge.sandbox.jira.people import Flavour
from bridge.sandbox.jira.world import SimulatedJira

_VERSIONS: dict[Flavour, tuple[str, ...]] = {"cloud": ("3", "2", "latest"), "server": ("2", "latest")}


def create_app(jira: SimulatedJira, *, sleep: Sleep = asyncio.sleep) -> Starlette:
    """The REST API of one Jira. `sleep` is what latency waits with; a fault of the kind `drop` needs `jira_serving`."""

    def routes(operation: Operation) -> Iterator[Route]:
        for path in _paths(operation, jira.flavour):
            yield Route(path, Answering(jira, operation, sleep), methods=[operation.method])

    async def refuse(_request: Request, error: Exception) -> Response:
        """A path or a method that is not in the table."""
        known = isinstance(error, HTTPException) and error.status_code == 405
        return failure_response(failures.method_unknown() if known else failures.path_unknown())

    table = [route for operation in OPERATIONS if jira.flavour in operation.flavours for route in routes(operation)]
    return Starlette(routes=table, exception_handlers={HTTPException: refuse})


def _paths(operation: Operation, flavour: Flavour) -> list[str]:
    if operation.below == "/":
        return [operation.path]
    return [f"/rest/api/{version}/{operation.path}" for version in _VERSIONS[flavour]]
