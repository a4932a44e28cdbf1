"""Driving a bridge from outside: its configuration, a tracker that signs, and waiting for what it shall come to."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import yaml

from bridge import routes, trackers
from bridge.config import Config, load
from bridge.sandbox.jira import Flavour, SimulatedJira, jira_serving
from bridge.sandbox.orchestrator import Task, World, sandbox_serving
from bridge.service import Clock, Service, migrate, running, utc_now
from bridge.serving import serving
from bridge.web import create_app
from tests.values import body_of

SECRET = "It's a Secret to Everybody"
NOWHERE = "http://127.0.0.1:1"
LOOK_AGAIN_S = 0.02
PATIENCE_S = 600
"""What hangs is ended after this; what is slow is waited for, because it may be the machine that has no time."""


def written(folder: Path, url: str = NOWHERE, /, **changes: Any) -> Path:
    """A configuration file; `changes` replace or extend its sections."""
    document: dict[str, Any] = {
        "database": {"url": "sqlite:///bridge.db"},
        "server": {"port": 0},
        "orchestrator": {
            "url": url,
            "auth": {"type": "token", "token": "t0ken"},
            "folder_path": "Shared",
            "timeout": "2s",
        },
        "sources": {"jira": {"type": "jira", "secrets": [SECRET]}},
        "routes": [
            {"name": "incidents", "source": "jira", "when": 'ticket.project == "OPS"', "task": {"catalog": "Tickets"}}
        ],
    }
    for name, value in changes.items():
        document[name] = {**document[name], **value} if isinstance(value, dict) and name in document else value
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def configured(folder: Path, url: str = NOWHERE, /, **changes: Any) -> Config:
    return load(written(folder, url, **changes), {}, [routes.problems, trackers.problems])


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


@dataclass(frozen=True)
class Bridge:
    """A running bridge, seen from outside."""

    url: str
    http: httpx.AsyncClient

    async def hook(self, event: dict[str, Any] | bytes, *, source: str = "jira", **headers: str) -> httpx.Response:
        """Send a signed webhook."""
        body = event if isinstance(event, bytes) else body_of(event)
        return await self.http.post(f"/hooks/{source}", content=body, headers={**signature(body), **headers})

    async def links(self, **filters: Any) -> list[dict[str, Any]]:
        """The links as the API lists them."""
        answer = await self.http.get("/api/v1/links", params={"limit": 500, **filters})
        links: list[dict[str, Any]] = answer.raise_for_status().json()["links"]
        return links

    async def deliveries(self, **filters: Any) -> list[dict[str, Any]]:
        """The deliveries as the API lists them."""
        answer = await self.http.get("/api/v1/deliveries", params={"limit": 500, **filters})
        deliveries: list[dict[str, Any]] = answer.raise_for_status().json()["deliveries"]
        return deliveries


@asynccontextmanager
async def bridge_running(config: Config) -> AsyncIterator[Bridge]:
    """The whole service in this process, on a real socket and a real database."""
    async with bridge_and_service(config) as (bridge, _):
        yield bridge


@asynccontextmanager
async def bridge_and_service(config: Config, clock: Clock = utc_now) -> AsyncIterator[tuple[Bridge, Service]]:
    await migrate(config)
    async with (
        running(config, clock) as service,
        serving(create_app(service)) as url,
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_S) as http,
    ):
        yield Bridge(url, http), service


@asynccontextmanager
async def jira_bridge(
    folder: Path,
    world: World,
    *,
    flavour: Flavour = "cloud",
    poll: str = "300ms",
    options: Mapping[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[SimulatedJira, Bridge]]:
    """A bridge that polls a simulated Jira. A webhook comes only if the test sends it."""
    jira = SimulatedJira(SECRET, utc_now, Random(1), flavour=flavour, **(options or {}))  # noqa: S311 - identifiers
    email = {"email": "bot@acme.test"} if flavour == "cloud" else {}
    async with jira_serving(jira) as url, sandbox_serving(world) as orchestrator:
        source = {"type": "jira", "secrets": [SECRET], "api": {"url": url, "token": "t", **email}, "poll": poll}
        config = configured(folder, orchestrator, **{"sources": {"jira": source}, **changes})
        async with bridge_running(config) as bridge:
            yield jira, bridge


async def until(holds: Callable[[], Awaitable[bool]], what: str, every: float = LOOK_AGAIN_S) -> None:
    """Wait for something to hold, by looking again and again; fails with what it was."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await holds():  # noqa: ASYNC110 - another process has no event for us: we look again
                await asyncio.sleep(every)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S} s: {what}") from None


async def judged(bridge: Bridge) -> list[dict[str, Any]]:
    """Every delivery in the order in which they came, once all are judged."""

    async def quiet() -> bool:
        return not await bridge.deliveries(state="pending")

    await until(quiet, "every delivery is judged")
    return sorted(await bridge.deliveries(), key=lambda delivery: int(delivery["id"]))


async def settled(bridge: Bridge) -> list[dict[str, Any]]:
    """Every link, once every delivery is judged and every link has nothing to do."""
    await judged(bridge)

    async def quiet() -> bool:
        return all(link["state"] == "settled" for link in await bridge.links())

    await until(quiet, "everything is settled")
    return await bridge.links()


async def tasks_are(world: World, *completions: int) -> Sequence[Task]:
    """Wait until there are just these tasks, completed so many times."""

    async def there() -> bool:
        return [task.completions for task in world.all_tasks()] == list(completions)

    await until(there, f"tasks completed {completions} times")
    return world.all_tasks()
