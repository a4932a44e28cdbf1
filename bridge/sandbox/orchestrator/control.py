"""`/sandbox`: what a test or a curious person asks of the sandbox itself. No bearer is needed, and nothing here is counted."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bridge.sandbox.orchestrator.answering import failure_response, read_body
from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from bridge.sandbox.orchestrator.endpoints.operation import json_response
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.wire import task_state
from bridge.sandbox.orchestrator.world import World

_RULES = TypeAdapter(list[Rule])
_NAMES = sorted({operation.name for operation in OPERATIONS})


class Control:
    """The sandbox's own endpoints over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[BaseRoute]:
        """The state, the reset and the faults."""
        return [
            Route("/sandbox/state", self.state),
            Route("/sandbox/reset", self.reset, methods=["POST"]),
            Route("/sandbox/faults", self.list_faults, methods=["GET"]),
            Route("/sandbox/faults", self.replace_faults, methods=["PUT"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
        ]

    async def state(self, _request: Request) -> Response:
        """Everything that `state` tells."""
        return json_response(state(self._world))

    async def reset(self, _request: Request) -> Response:
        """204; the sandbox is as new, or as its seed says."""
        self._world.reset()
        try:
            self._world.keep()
        except Failure as failure:
            return failure_response(self._world, failure)
        return Response(status_code=204)

    async def list_faults(self, _request: Request) -> Response:
        """The rules in force, each with how often it has struck."""
        return json_response(self._world.faults.listed())

    async def replace_faults(self, request: Request) -> Response:
        """These rules instead of all others; 422 with pydantic's list of what is wrong with them."""
        try:
            rules = _RULES.validate_json(await read_body(request.scope, request.receive))
        except Failure as failure:
            return failure_response(self._world, failure)
        except ValidationError as error:
            return json_response(_complaints(error), 422)
        if strangers := unknown_operations(rules):
            return json_response(strangers, 422)
        self._world.faults.replace(rules)
        return json_response(self._world.faults.listed())

    async def clear_faults(self, _request: Request) -> Response:
        """204; no faults."""
        self._world.faults.replace([])
        return Response(status_code=204)


def state(world: World) -> dict[str, Any]:
    """Every task, deleted ones too; the count of calls, and the latest requests; the webhooks, and what was delivered to them."""
    return {
        "tasks": [task_state(task) for task in world.all_tasks()],
        "calls": world.journal.calls,
        "requests": world.journal.requests,
        "webhooks": [webhook.shown() for webhook in world.webhooks.all()],
        "deliveries": [delivery.shown() for delivery in world.webhooks.deliveries],
    }


def unknown_operations(rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """What is wrong with rules that would never strike, for they name an operation that is not there."""
    return [
        {"where": [number, "operation"], "what": _no_operation(rule.operation)}
        for number, rule in enumerate(rules)
        if rule.operation not in ("*", *_NAMES)
    ]


def _no_operation(name: str) -> str:
    near = get_close_matches(name, _NAMES, n=1)
    return f"is no operation: did you mean {near[0]}?" if near else f"is no operation: * or one of {', '.join(_NAMES)}"


def _complaints(error: ValidationError) -> list[dict[str, Any]]:
    return [{"where": list(one["loc"]), "what": one["msg"]} for one in error.errors()]
