"""The demo: a bridge, a sandbox Orchestrator and a simulated Jira, all real, on free ports of this machine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx

from bridge.config import Config
from bridge.sandbox.jira import Issue, SimulatedJira, Webhook
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.service import migrate, running, utc_now
from bridge.serving import serving
from bridge.web import create_app

SECRET = "demo"  # noqa: S105 - of a Jira that lives as long as the demo
PATIENCE = timedelta(seconds=120)
"""How long the last task may take before the demo says that something is wrong."""

Say = Callable[[str, str], None]
"""Tells what happened: who, and what."""

_SUMMARIES = (
    "Printer on floor 3 prints in mirror writing",
    "Invoice run stopped at 87 %",
    "VPN drops every hour, on the hour",
    "New laptop for Grace",
    "Payroll export has a comma too many",
    "Badge reader likes nobody",
    "Backup is larger than the disk",
    "Mailbox of the board is full",
)
_PRIORITIES = ("Highest", "High", "Medium", "Low")


@dataclass
class Story:
    """What Jira sends of one ticket, in the order in which it happened, and whether the bridge's route wants it."""

    issue: Issue
    webhooks: list[Webhook] = field(default_factory=list)
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to."""

    tickets: int
    others: int
    webhooks: int
    duplicates: int
    tasks: int
    completed: int

    @property
    def right(self) -> bool:
        """One task for every ticket that was wanted, all completed: none lost, none doubled."""
        return self.tasks == self.completed == self.tickets


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
    """The three of them, running; all that they keep goes when they end."""
    world = World()
    with TemporaryDirectory(prefix="bridge-demo-") as folder:
        async with sandbox_serving(world) as sandbox:
            config = _config(sandbox, Path(folder))
            await migrate(config)
            async with (
                running(config) as service,
                serving(create_app(service)) as bridge,
                httpx.AsyncClient(timeout=30) as http,
            ):
                yield Demo(bridge, sandbox, world, config, http)


async def play(demo: Demo, tickets: int, random: Random, say: Say) -> Summary:
    """Let tickets live their lives, their webhooks duplicated and out of order; return when every task is completed."""
    jira = SimulatedJira(SECRET, utc_now, random)
    stories = [_story(jira, number, random) for number in range(tickets + max(tickets // 6, 1))]
    wanted = sum(story.wanted for story in stories)
    sent = await asyncio.gather(*(_tell(demo, jira, story, random, say) for story in stories))
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not _settled(demo.world, wanted):  # noqa: ASYNC110 - we look, as a person at the page would
            await asyncio.sleep(0.05)
    tasks = demo.world.all_tasks()
    return Summary(
        tickets=wanted,
        others=len(stories) - wanted,
        webhooks=sum(webhooks for webhooks, _ in sent),
        duplicates=sum(duplicates for _, duplicates in sent),
        tasks=len(tasks),
        completed=sum(task.completions == 1 for task in tasks),
    )


def _config(sandbox: str, folder: Path) -> Config:
    return Config.model_validate(
        {
            "name": "demo",
            "database": {"url": f"sqlite:///{folder}/demo.db"},
            "orchestrator": {
                "url": sandbox,
                "folder_path": "Shared",
                "auth": {"type": "client_credentials", "client_id": "demo", "client_secret": "demo"},
            },
            "sources": {"jira": {"type": "jira", "secrets": [SECRET]}},
            "routes": [
                {
                    "name": "incidents",
                    "source": "jira",
                    "when": 'ticket.project == "OPS"',
                    "task": {"catalog": "Tickets"},
                    "completion": {"data": {"resolution": "{{ ticket.resolution }}", "closed_by": "bridge"}},
                }
            ],
        }
    )


def _story(jira: SimulatedJira, number: int, random: Random) -> Story:
    """One ticket's life. Every seventh is of a project that no route selects."""
    wanted = number % 7 != 6
    summary = _SUMMARIES[number % len(_SUMMARIES)]
    issue, opened = jira.open("OPS" if wanted else "WEB", summary, priority=random.choice(_PRIORITIES))
    story = Story(issue, [opened], wanted)
    if random.random() < 0.6:
        story.webhooks.append(jira.edit(issue, summary=f"{summary} (again)"))
    if random.random() < 0.3:
        story.webhooks.append(jira.move(issue, "NET"))
    story.webhooks.append(jira.close(issue))
    return story


async def _tell(demo: Demo, jira: SimulatedJira, story: Story, random: Random, say: Say) -> tuple[int, int]:
    """Send a story's webhooks as the world does: some late, some twice, with pauses. How many, and how many of them again."""
    order = list(story.webhooks)
    if random.random() < 0.4:
        random.shuffle(order)
    again = [webhook for webhook in order if random.random() < 0.25]
    for index, webhook in enumerate([*order, *again]):
        await asyncio.sleep(random.uniform(0.05, 0.6))
        late = " (late)" if index < len(order) and story.webhooks.index(webhook) < index else ""
        note = " (once more)" if index >= len(order) else late
        say("jira", f"{webhook.key} {webhook.says}{note}")
        await jira.send(webhook, f"{demo.bridge}/hooks/jira", demo.http)
    return len(order) + len(again), len(again)


def _settled(world: World, wanted: int) -> bool:
    tasks = world.all_tasks()
    return len(tasks) >= wanted and all(task.completions for task in tasks)
