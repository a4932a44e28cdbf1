"""What the demo plays on: everything runs, and all that it keeps goes when it ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from bridge.config import Config
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.service import migrate, running
from bridge.serving import serving
from bridge.web import create_app

SECRET = "demo"  # noqa: S105 - of trackers that live as long as the demo
PROJECT = "OPS"
"""Of the issues that become tasks."""

UNWANTED_PRIORITY = "Low"
"""Of the cases that do not."""


PATIENCE = timedelta(seconds=120)
"""How long the last webhook or task may take before the demo says that something is wrong."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    bridge: str
    sandbox: str
    world: World
    config: Config
    http: httpx.AsyncClient


@asynccontextmanager
async def demo() -> AsyncIterator[Demo]:
    """The bridge and the Orchestrator, running."""
    world = World()
    with TemporaryDirectory(prefix="bridge-demo-") as folder:
        async with sandbox_serving(world) as sandbox:
            config = _config(sandbox, Path(folder))
            await migrate(config)
            async with (
                running(config) as service,
                serving(create_app(service)) as bridge,
                httpx.AsyncClient(base_url=bridge, timeout=30) as http,
            ):
                yield Demo(bridge, sandbox, world, config, http)


def _config(sandbox: str, folder: Path) -> Config:
    completion = {"data": {"status": "{{ ticket.status }}", "closed_by": "bridge"}}
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
                "jira": {"type": "jira", "secrets": [SECRET]},
                "crm": {"type": "salesforce", "secrets": [SECRET]},
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
