"""The fixture `orchestrator_sandbox`: an Orchestrator for each test that asks for it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bridge.sandbox.orchestrator import Rule, Seed, World, create_app, load_seed, read_seed
from bridge.sandbox.orchestrator.control import state, unknown_operations
from bridge.sandbox.orchestrator.delivering import delivering
from bridge.sandbox.orchestrator.endpoints.operation import json_response
from bridge.testing.server import ThreadServer, thread_server

T = TypeVar("T")


class OrchestratorSandbox:
    """The Orchestrator of one test."""

    def __init__(self, server: ThreadServer, world: World) -> None:
        self._server = server
        self.url = server.url
        """Where it is: what stands before `/odata`. The cloud's paths work, too: `{url}/acme/Default/orchestrator_`."""
        self.world = world
        """What it holds. Requests change it in another thread: use `do` for more than a look while some are under way."""

    def do(self, work: Callable[[World], T]) -> T:
        """Do something to the world between two requests, such as `sandbox.do(lambda world: world.complete_task(1))`."""
        return self._server.do(lambda: work(self.world))

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


async def _begin(server: ThreadServer, seed: Seed, stack: AsyncExitStack) -> World:
    """Serve a new world of this seed."""
    world = seed.world()
    await stack.enter_async_context(delivering(world))
    stack.callback(world.faults.release)
    seed.plant(world)
    server.serve(create_app(world))
    return world


@pytest.fixture
def orchestrator_seed() -> Mapping[str, Any] | str | Path:
    """What the sandbox begins with: a mapping as in a seed's YAML, or a path to one. Override it where you need more."""
    return {}


@pytest.fixture
def orchestrator_sandbox(
    _orchestrator_server: ThreadServer, orchestrator_seed: Mapping[str, Any] | str | Path
) -> Iterator[OrchestratorSandbox]:
    """An Orchestrator of this test's own, running."""
    server, given = _orchestrator_server, orchestrator_seed
    seed = load_seed(Path(given)) if isinstance(given, str | Path) else read_seed(given, "orchestrator_seed")
    stack = AsyncExitStack()
    try:
        yield OrchestratorSandbox(server, server.run(_begin(server, seed, stack)))
    finally:
        server.run(stack.aclose())


@pytest.fixture(scope="session")
def _orchestrator_server() -> Iterator[ThreadServer]:
    with thread_server("orchestrator-sandbox") as server:
        yield server
