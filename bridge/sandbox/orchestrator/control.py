"""`/sandbox`: what a test or a curious person asks of the sandbox itself. No bearer is needed, and nothing here is counted."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.sandbox.orchestrator.endpoints.operation import json_response
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.page import CONTENT_SECURITY_POLICY, PAGE
from bridge.sandbox.orchestrator.wire import task_row, task_state
from bridge.sandbox.orchestrator.world import World

SHOWN = 200
"""How many tasks the page shows."""

_RULES = TypeAdapter(list[Rule])


class Control:
    """The sandbox's own endpoints over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """The page, its tasks, the state, the reset and the faults."""
        return [
            Route("/", self.page),
            Route("/sandbox/tasks", self.tasks),
            Route("/sandbox/state", self.state),
            Route("/sandbox/reset", self.reset, methods=["POST"]),
            Route("/sandbox/faults", self.list_faults, methods=["GET"]),
            Route("/sandbox/faults", self.replace_faults, methods=["PUT"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def page(self, _request: Request) -> Response:
        """The tasks, for a browser."""
        return HTMLResponse(PAGE, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

    async def tasks(self, _request: Request) -> Response:
        """The newest tasks, for the page."""
        rows = [task_row(task) for task in self._world.newest_tasks(SHOWN)]
        return json_response({"tasks": rows, "count": sum(1 for _ in self._world.tasks())})

    async def state(self, _request: Request) -> Response:
        """Every task, deleted ones too, the count of calls, and the latest requests."""
        world = self._world
        tasks = [task_state(task) for task in world.all_tasks()]
        return json_response({"tasks": tasks, "calls": world.journal.calls, "requests": world.journal.requests})

    async def reset(self, _request: Request) -> Response:
        """204; the sandbox is as new."""
        self._world.reset()
        return Response(status_code=204)

    async def list_faults(self, _request: Request) -> Response:
        """The rules in force, each with how often it has struck."""
        return json_response(self._world.faults.listed())

    async def replace_faults(self, request: Request) -> Response:
        """These rules instead of all others; 422 with pydantic's list of what is wrong with them."""
        try:
            rules = _RULES.validate_json(await request.body())
        except ValidationError as error:
            return json_response(_complaints(error), 422)
        self._world.faults.replace(rules)
        return json_response(self._world.faults.listed())

    async def clear_faults(self, _request: Request) -> Response:
        """204; no faults."""
        self._world.faults.replace([])
        return Response(status_code=204)


def _complaints(error: ValidationError) -> list[dict[str, Any]]:
    return [{"where": list(one["loc"]), "what": one["msg"]} for one in error.errors()]
