"""A sandbox that is served over a real socket, and a client that speaks to it as a signed-in account in its folder."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import Folder, World, sandbox_serving

SIGNED_IN = {"Authorization": "Bearer anything", "X-UIPATH-OrganizationUnitId": "1"}
FOLDERS = [
    Folder(id=1, path="Shared", catalogs=("Tickets", "MinodoraCertificates")),
    Folder(id=828, path="Finance/Zürich", catalogs=("Invoices",)),
]

Create = Callable[..., Awaitable[dict[str, Any]]]


class Clock:
    """Noon of a day in 2025, and a minute later every time it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2025, 5, 7, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


class Waits:
    """A sleep that only remembers for how long it was asked."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def world() -> World:
    return World(folders=FOLDERS, clock=Clock())


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def url(world: World, waits: Waits) -> AsyncIterator[str]:
    async with sandbox_serving(world, sleep=waits) as base:
        yield base


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, headers=SIGNED_IN) as signed_in:
        yield signed_in


@pytest.fixture
def create(client: httpx.AsyncClient) -> Create:
    """Creates a task over the wire, and gives its answer."""

    async def create_task(title: str = "Close Ticket", **fields: Any) -> dict[str, Any]:
        response = await client.post("/tasks/GenericTasks/CreateTask", json={"title": title, **fields})
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    return create_task
