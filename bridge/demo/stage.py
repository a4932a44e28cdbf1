"""What the demo plays on: everything runs, and all that it keeps goes when it ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx

from bridge.config import Config
from bridge.sandbox.jira import SimulatedJira, jira_serving
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from bridge.service import migrate, running, utc_now
from bridge.serving import serving
from bridge.web import create_app

SECRET = "demo"  # noqa: S105 - of trackers that live as long as the demo
PROJECT = "OPS"
"""Of the issues that become tasks."""

UNWANTED_PRIORITY = "Low"
"""Of the cases that do not."""

POLL = "1s"
"""How often the trackers are asked: a demo has little time."""

PATIENCE = timedelta(seconds=120)
"""How long the last webhook or task may take before the demo says that something is wrong."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo. `lose` is the share of webhooks that never come."""

    bridge: str
    sandbox: str
    world: World
    jira: SimulatedJira
    org: SimulatedSalesforce
    lose: float
    config: Config
    http: httpx.AsyncClient


@asynccontextmanager
async def demo(random: Random, lose: float = 0.0) -> AsyncIterator[Demo]:
    """The bridge, the Orchestrator and both trackers, running. The trackers are polled if webhooks get lost."""
    world, jira, org = World(), SimulatedJira(SECRET, utc_now, random), SimulatedSalesforce(utc_now, random)
    with TemporaryDirectory(prefix="bridge-demo-") as folder:
        async with sandbox_serving(world) as sandbox, jira_serving(jira) as site, salesforce_serving(org) as domain:
            config = _config(sandbox, site, domain, Path(folder), poll=POLL if lose else "off")
            await migrate(config)
            async with (
                running(config) as service,
                serving(create_app(service)) as bridge,
                httpx.AsyncClient(base_url=bridge, timeout=30) as http,
            ):
                yield Demo(bridge, sandbox, world, jira, org, lose, config, http)


async def a_task_for(demo: Demo, source: str, ticket_id: str) -> None:
    """Wait until a ticket has its task."""
    key = f"{demo.config.name}/{source}/{ticket_id}/1"
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not any(task.request.parent_operation_id == key for task in demo.world.all_tasks()):  # noqa: ASYNC110 - as a person would look
            await asyncio.sleep(0.05)


def _config(sandbox: str, jira: str, salesforce: str, folder: Path, poll: str) -> Config:
    completion = {"data": {"status": "{{ ticket.status }}", "closed_by": "bridge"}}
    signing_in = {"type": "client_credentials", "client_id": "connected-app", "client_secret": SECRET}
    return Config.model_validate(
        {
            "name": "demo",
            "database": {"url": f"sqlite:///{folder}/demo.db"},
            "orchestrator": {
                "url": sandbox,
                "folder_path": "Shared",
                "auth": {"type": "client_credentials", "client_id": "demo", "client_secret": "demo"},
            },
            "sources": {
                "jira": {
                    "type": "jira",
                    "secrets": [SECRET],
                    "api": {"url": jira, "email": "bot@acme.test", "token": SECRET},
                    "poll": poll,
                },
                "crm": {
                    "type": "salesforce",
                    "secrets": [SECRET],
                    "api": {"url": salesforce, "auth": signing_in},
                    "poll": poll,
                },
            },
            "routes": [
                {
                    "name": "incidents",
                    "source": "jira",
                    "when": f'ticket.project == "{PROJECT}"',
                    "task": {"catalog": "Tickets"},
                    "completion": completion,
                },
                {
                    "name": "cases",
                    "source": "crm",
                    "when": f'ticket.priority != "{UNWANTED_PRIORITY}"',
                    "task": {"catalog": "Tickets"},
                    "completion": completion,
                },
            ],
        }
    )
