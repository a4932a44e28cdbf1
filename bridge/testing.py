"""A pytest plugin: an Orchestrator to test against, for bots, integrations and scripts that use its tasks.

    pytest_plugins = ["bridge.testing"]     # in the topmost conftest.py

    def test_my_script(orchestrator_sandbox):
        my_script(orchestrator_sandbox.url)
        assert [task["title"] for task in orchestrator_sandbox.tasks()] == ["Close Ticket"]

The server runs in a thread with an event loop of its own, so it serves tests with a loop and without one. It is started once in a
session; every test has a world of its own in it, as the fixture `orchestrator_seed` says.
"""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.sandbox.orchestrator import (
    SERVING_OPTIONS,
    Rule,
    Seed,
    World,
    create_app,
    load_seed,
    read_seed,
)
from bridge.sandbox.orchestrator.control import state, unknown_operations
from bridge.sandbox.orchestrator.delivering import delivering
from bridge.sandbox.orchestrator.endpoints.operation import json_response
from bridge.serving import serving

T = TypeVar("T")

PATIENCE_S = 30
"""How long a call into the sandbox's thread may take."""


class OrchestratorSandbox:
    """The Orchestrator of one test."""

    def __init__(self, server: "_Server", world: World) -> None:
        self._server = server
        self.url = server.url
        """Where it is: what stands before `/odata`. The cloud's paths work, too: `{url}/acme/Default/orchestrator_`."""
        self.world = world
        """What it holds. Requests change it in another thread: use `do` for more than a look while some are under way."""

    def do(self, work: Callable[[World], T]) -> T:
        """Do something to the world between two requests, such as `sandbox.do(lambda world: world.complete_task(1))`."""

        async def between() -> T:
            return work(self.world)

        return self._server.run(between())

    def state(self) -> dict[str, Any]:
        """What `GET /sandbox/state` tells: tasks, calls, requests, webhooks, deliveries; as JSON has it."""
        found: dict[str, Any] = self.do(lambda world: json.loads(bytes(json_response(state(world)).body)))
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """Every task, with its data; deleted ones too (`isDeleted`)."""
        found: list[dict[str, Any]] = self.state()["tasks"]
        return found

    def calls(self) -> dict[str, int]:
        """How often each operation was asked for."""
        return self.do(lambda world: world.journal.calls)

    def faults(self, *rules: Rule | Mapping[str, Any]) -> None:
        """These faults from now on, instead of all others; none clears them. ValueError for one that makes no sense."""
        read = [rule if isinstance(rule, Rule) else Rule.model_validate(rule) for rule in rules]
        if strangers := unknown_operations(read):
            raise ValueError("; ".join(f"rule {one['where'][0]}: operation {one['what']}" for one in strangers))
        self.do(lambda world: world.faults.replace(read))

    def reset(self) -> None:
        """As new, or as the seed says."""
        self.do(lambda world: world.reset())


class _Server:
    """A server in a thread, for one application after another."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orchestrator-sandbox", daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self._app: ASGIApp = create_app(World())
        self.url = self.run(
            self._stack.enter_async_context(serving(self._answer, interface="asgi3", **SERVING_OPTIONS))
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the server's thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    def stop(self) -> None:
        """End the server and its thread."""
        self.run(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def begin(self, seed: Seed, stack: AsyncExitStack) -> World:
        """Serve a new world of this seed."""
        world = seed.world()
        await stack.enter_async_context(delivering(world))
        stack.callback(world.faults.release)
        seed.plant(world)
        self._app = create_app(world)
        return world


@pytest.fixture
def orchestrator_seed() -> Mapping[str, Any] | str | Path:
    """What the sandbox begins with: a mapping as in a seed's YAML, or a path to one. Override it where you need more."""
    return {}


@pytest.fixture
def orchestrator_sandbox(
    _orchestrator_server: _Server, orchestrator_seed: Mapping[str, Any] | str | Path
) -> Iterator[OrchestratorSandbox]:
    """An Orchestrator of this test's own, running."""
    given = orchestrator_seed
    seed = load_seed(Path(given)) if isinstance(given, str | Path) else read_seed(given, "orchestrator_seed")
    stack = AsyncExitStack()
    try:
        yield OrchestratorSandbox(
            _orchestrator_server, _orchestrator_server.run(_orchestrator_server.begin(seed, stack))
        )
    finally:
        _orchestrator_server.run(stack.aclose())


@pytest.fixture(scope="session")
def _orchestrator_server() -> Iterator[_Server]:
    server = _Server()
    try:
        yield server
    finally:
        server.stop()
