"""The play: both trackers' tickets live their lives at once, until every task is completed."""

import asyncio
from dataclasses import dataclass
from random import Random

from bridge.demo.jira import play_jira
from bridge.demo.salesforce import play_salesforce
from bridge.demo.stage import PATIENCE, Demo
from bridge.demo.stories import Say


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to."""

    tickets: int
    others: int
    webhooks: int
    duplicates: int
    lost: int
    tasks: int
    completed: int

    @property
    def right(self) -> bool:
        """One task for every ticket that was wanted, all completed: none lost, none doubled."""
        return self.tasks == self.completed == self.tickets


async def play(demo: Demo, tickets: int, random: Random, say: Say) -> Summary:
    """Let tickets live their lives, half of them Jira's and half Salesforce's; return when every task is completed."""
    cases = tickets // 2
    jira, salesforce = await asyncio.gather(
        play_jira(demo, tickets - cases, random, say), play_salesforce(demo, cases, random, say)
    )
    told = jira + salesforce
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while not await _settled(demo, told.wanted):  # noqa: ASYNC110 - we look, as a person at the page would
            await asyncio.sleep(0.05)
    tasks = demo.world.all_tasks()
    return Summary(
        tickets=told.wanted,
        others=told.others,
        webhooks=told.webhooks,
        duplicates=told.duplicates,
        lost=told.lost,
        tasks=len(tasks),
        completed=sum(task.completions == 1 for task in tasks),
    )


async def _settled(demo: Demo, wanted: int) -> bool:
    """Whether every task is completed, and the bridge knows it."""
    tasks = demo.world.all_tasks()
    if len(tasks) < wanted or not all(task.completions for task in tasks):
        return False
    summary = (await demo.http.get("/api/v1/summary")).json()
    return bool(summary["links"]["settled"] == wanted and not summary["deliveries"]["pending"])
