"""Jira's tickets in the demo: edited, moved and closed, their webhooks out of order and some of them twice."""

import asyncio
from dataclasses import dataclass, field
from random import Random

from bridge.demo.stage import PROJECT, SECRET, Demo
from bridge.demo.stories import SUMMARIES, Say, Told, a_while, wanted
from bridge.sandbox.jira import SimulatedJira, Webhook
from bridge.service import utc_now

_PRIORITIES = ("Highest", "High", "Medium", "Low")


@dataclass
class _Story:
    """What Jira sends of one ticket, in the order in which it happened, and whether the bridge's route wants it."""

    wanted: bool
    webhooks: list[Webhook] = field(default_factory=list)


async def play_jira(demo: Demo, tickets: int, random: Random, say: Say) -> Told:
    """Let so many tickets, and some of another project, live their lives."""
    jira = SimulatedJira(SECRET, utc_now, random)
    stories = [_story(jira, number, random, is_wanted=is_wanted) for number, is_wanted in enumerate(wanted(tickets))]
    sent = await asyncio.gather(*(_tell(demo, jira, story, random, say) for story in stories))
    return Told(
        wanted=sum(story.wanted for story in stories),
        others=sum(not story.wanted for story in stories),
        webhooks=sum(webhooks for webhooks, _ in sent),
        duplicates=sum(duplicates for _, duplicates in sent),
    )


def _story(jira: SimulatedJira, number: int, random: Random, *, is_wanted: bool) -> _Story:
    summary = SUMMARIES[number % len(SUMMARIES)]
    issue, opened = jira.open(PROJECT if is_wanted else "WEB", summary, priority=random.choice(_PRIORITIES))
    story = _Story(is_wanted, [opened])
    if random.random() < 0.6:
        story.webhooks.append(jira.edit(issue, summary=f"{summary} (again)"))
    if random.random() < 0.3:
        story.webhooks.append(jira.move(issue, "NET"))
    story.webhooks.append(jira.close(issue))
    return story


async def _tell(demo: Demo, jira: SimulatedJira, story: _Story, random: Random, say: Say) -> tuple[int, int]:
    """Send a story's webhooks as the world does: some late, some twice, with pauses. How many, and how many of them again."""
    order = list(story.webhooks)
    if random.random() < 0.4:
        random.shuffle(order)
    again = [webhook for webhook in order if random.random() < 0.25]
    for index, webhook in enumerate([*order, *again]):
        await asyncio.sleep(a_while(random))
        late = " (late)" if index < len(order) and story.webhooks.index(webhook) < index else ""
        note = " (once more)" if index >= len(order) else late
        say("jira", f"{webhook.key} {webhook.says}{note}")
        await jira.send(webhook, f"{demo.bridge}/hooks/jira", demo.http)
    return len(order) + len(again), len(again)
