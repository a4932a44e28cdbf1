"""Webhooks are lost, some or all: the poll finds what they would have told, once each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.sandbox.jira import Flavour, SimulatedJira, Webhook
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from bridge.service import utc_now
from tests.driving import Bridge, bridge_running, configured, jira_bridge, until

pytestmark = pytest.mark.anyio

TICKETS = 40
EVERY = "300ms"
TOKEN = "t0ken"


@dataclass
class Cases:
    """Salesforce, by callout."""

    org: SimulatedSalesforce
    bridge: Bridge

    async def open(self) -> str:
        return str(self.org.open(Subject="Printer")["Id"])

    async def close(self, ticket_id: str) -> None:
        self.org.close(ticket_id)

    async def tell(self, ticket_id: str) -> None:
        url = f"{self.bridge.url}/hooks/crm?token={TOKEN}"
        assert (await self.org.post_callout(ticket_id, url, self.bridge.http)).is_success


@asynccontextmanager
async def salesforce(folder: Path, database_url: str, world: World) -> AsyncIterator[Cases]:
    org = SimulatedSalesforce(utc_now, Random(1))  # noqa: S311 - ids
    async with salesforce_serving(org) as url, sandbox_serving(world) as orchestrator:
        auth = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}
        source = {"type": "salesforce", "secrets": [TOKEN], "api": {"url": url, "auth": auth}, "poll": EVERY}
        config = configured(
            folder,
            orchestrator,
            database={"url": database_url},
            sources={"crm": source},
            routes=[{"name": "cases", "source": "crm", "task": {"catalog": "Tickets"}}],
        )
        async with bridge_running(config) as bridge:
            yield Cases(org, bridge)


@dataclass
class Issues:
    """Jira, whose last webhook of each issue is kept until it is sent or lost."""

    jira: SimulatedJira
    bridge: Bridge
    last: dict[str, Webhook] = field(default_factory=dict)

    async def open(self) -> str:
        issue, webhook = self.jira.open("OPS", "Printer")
        self.last[str(issue.id)] = webhook
        return str(issue.id)

    async def close(self, ticket_id: str) -> None:
        issue = self.jira.find(ticket_id)
        assert issue is not None
        self.last[ticket_id] = self.jira.close(issue)

    async def tell(self, ticket_id: str) -> None:
        assert await self.jira.send(self.last[ticket_id], f"{self.bridge.url}/hooks/jira", self.bridge.http)


def _jira(flavour: Flavour) -> Any:
    @asynccontextmanager
    async def running(folder: Path, database_url: str, world: World) -> AsyncIterator[Issues]:
        async with jira_bridge(folder, world, flavour=flavour, database={"url": database_url}) as (jira, bridge):
            yield Issues(jira, bridge)

    return running


@pytest.mark.parametrize("lost", [0.3, 1.0])
@pytest.mark.parametrize(
    "tracker",
    [_jira("cloud"), _jira("server"), salesforce],
    ids=["Jira Cloud", "Jira Data Center", "Salesforce"],
)
async def test_every_task_is_completed(tmp_path: Path, database_url: str, tracker: Any, lost: float) -> None:
    world, dice = World(), Random(7)  # noqa: S311 - which are lost
    async with tracker(tmp_path, database_url, world) as tickets:

        async def maybe_tell(ticket_id: str) -> None:
            if dice.random() >= lost:
                await tickets.tell(ticket_id)

        ids = [await tickets.open() for _ in range(TICKETS)]
        for ticket_id in ids:
            await maybe_tell(ticket_id)
        await until(lambda: _completions(world, TICKETS, 0), "every ticket has its task")
        for ticket_id in ids:
            await tickets.close(ticket_id)
            await maybe_tell(ticket_id)
        await until(lambda: _completions(world, TICKETS, TICKETS), "every task is completed")
        calls = world.journal.calls
        assert (calls["CreateTask"], calls["CompleteTask"]) == (TICKETS, TICKETS)


async def _completions(world: World, tasks: int, completed: int) -> bool:
    found = world.all_tasks()
    return (len(found), sum(task.completions for task in found)) == (tasks, completed)
