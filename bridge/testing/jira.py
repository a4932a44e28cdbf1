"""The fixture `jira_sandbox`: a Jira for each test that asks for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

import pytest

from bridge.sandbox.jira import Fault, SimulatedJira, create_app
from bridge.sandbox.jira.delivering import delivering
from bridge.testing.server import ThreadServer, thread_server

T = TypeVar("T")


class JiraSandbox:
    """The Jira of one test."""

    def __init__(self, server: ThreadServer, world: SimulatedJira) -> None:
        self._server = server
        self.url = server.url
        """Where it is: what stands before `/rest/api`."""
        self.world = world
        """What it holds. Requests change it in another thread: use `do` for more than a look while some are under way."""

    def do(self, work: Callable[[SimulatedJira], T]) -> T:
        """Do something to the world between two requests, such as `sandbox.do(lambda jira: jira.open("OPS", "x"))`."""
        return self._server.do(lambda: work(self.world))

    def calls(self) -> dict[str, int]:
        """How often each operation was asked for."""
        return self.do(lambda jira: jira.journal.calls)

    def faults(self, *faults: Fault) -> None:
        """These faults from now on, instead of all others; none clears them."""
        self.do(lambda jira: jira.faults.clear())
        self.do(lambda jira: jira.faults.extend(faults))

    def settled(self) -> None:
        """Wait until every registered webhook has heard of everything, or never will."""
        self._server.run(self.world.settled())


@pytest.fixture
def jira_options() -> Mapping[str, Any]:
    """What the sandbox is: the options of `SimulatedJira`, such as `{"flavour": "server"}`. Override it where you need more."""
    return {}


@pytest.fixture
def jira_sandbox(_jira_server: ThreadServer, jira_options: Mapping[str, Any]) -> Iterator[JiraSandbox]:
    """A Jira of this test's own, running. By default its webhooks are signed with `secret`, and it goes by the machine's clock."""
    stack = AsyncExitStack()
    try:
        yield JiraSandbox(_jira_server, _jira_server.run(_begin(_jira_server, jira_options, stack)))
    finally:
        _jira_server.run(stack.aclose())


@pytest.fixture(scope="session")
def _jira_server() -> Iterator[ThreadServer]:
    with thread_server("jira-sandbox") as server:
        yield server


async def _begin(server: ThreadServer, options: Mapping[str, Any], stack: AsyncExitStack) -> SimulatedJira:
    """Serve a new world."""
    given: dict[str, Any] = {"secret": "secret", "clock": _now, "random": Random(0), **options}  # noqa: S311 - a die
    world = SimulatedJira(**given)
    world.site = server.url
    await stack.enter_async_context(delivering(world))
    server.serve(create_app(world))
    return world


def _now() -> datetime:
    return datetime.now(UTC)
