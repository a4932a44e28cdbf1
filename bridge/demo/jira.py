"""Jira's tickets in the demo: edited, moved and closed, their webhooks out of order, some of them twice, and some of them never."""

import asyncio
from random import Random

from bridge.demo.stage import PROJECT, Demo, a_task_for
from bridge.demo.stories import SUMMARIES, Say, Told, a_while, wanted
from bridge.sandbox.jira import SimulatedJira, Webhook

_PRIORITIES = ("Highest", "High", "Medium", "Low")
HELD_BACK = 0.4
"""How often a webhook is sent after those of later changes."""
AGAIN = 0.25
"""How often one is sent twice."""


async def play_jira(demo: Demo, tickets: int, random: Random, say: Say) -> Told:
    """Let so many tickets, and some of another project, live their lives."""
    lives = [_Life(demo, demo.jira, random, say) for _ in wanted(tickets)]
    await asyncio.gather(
        *(
            life.live(number, is_wanted=one)
            for number, (life, one) in enumerate(zip(lives, wanted(tickets), strict=True))
        )
    )
    return Told(
        wanted=sum(wanted(tickets)),
        others=len(lives) - sum(wanted(tickets)),
        webhooks=sum(life.sent for life in lives),
        duplicates=sum(life.again for life in lives),
        lost=sum(life.lost for life in lives),
    )


class _Life:
    """One ticket's, with a count of what was told of it."""

    def __init__(self, demo: Demo, jira: SimulatedJira, random: Random, say: Say) -> None:
        self._demo = demo
        self._jira = jira
        self._random = random
        self._say = say
        self._held: list[Webhook] = []
        self.sent = self.again = self.lost = 0

    async def live(self, number: int, *, is_wanted: bool) -> None:
        """Opened, perhaps edited and moved, and closed. Where webhooks are lost nobody closes it before its task is there."""
        random, summary = self._random, SUMMARIES[number % len(SUMMARIES)]
        await self._pause()
        project = PROJECT if is_wanted else "WEB"
        issue, opened = self._jira.open(project, summary, priority=random.choice(_PRIORITIES))
        await self._happens(opened)
        if random.random() < 0.6:
            await self._happens(self._jira.edit(issue, summary=f"{summary} (again)"))
        if self._demo.lose and is_wanted:
            await a_task_for(self._demo, "jira", str(issue.id))
        if random.random() < 0.3:
            await self._happens(self._jira.move(issue, "NET"))
        await self._happens(self._jira.close(issue))
        for late in self._held:
            await self._pause()
            await self._tell(late, " (late)")

    async def _happens(self, webhook: Webhook) -> None:
        """A webhook is lost, held back, or sent, perhaps twice."""
        await self._pause()
        if self._random.random() < self._demo.lose:
            self.lost += 1
            self._say("jira", f"{webhook.key} {webhook.says} (its webhook is lost)")
        elif self._random.random() < HELD_BACK:
            self._held.append(webhook)
            self._say("jira", f"{webhook.key} {webhook.says} (its webhook comes late)")
        else:
            await self._tell(webhook)
            if self._random.random() < AGAIN:
                self.again += 1
                await self._tell(webhook, " (once more)")

    async def _tell(self, webhook: Webhook, note: str = "") -> None:
        self.sent += 1
        self._say("jira", f"{webhook.key} {webhook.says}{note}")
        await self._jira.send(webhook, f"{self._demo.bridge}/hooks/jira", self._demo.http)

    async def _pause(self) -> None:
        await asyncio.sleep(a_while(self._random))
