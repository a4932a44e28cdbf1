"""Salesforce's cases in the demo: outbound messages with what changed meanwhile, in any order, some of them twice."""

import asyncio
from random import Random

from bridge.demo.stage import PATIENCE, SECRET, UNWANTED_PRIORITY, Demo, a_task_for
from bridge.demo.stories import SUMMARIES, Say, Told, a_while, wanted
from bridge.sandbox.salesforce import SimulatedSalesforce

_PRIORITIES = ("High", "Medium")
_SENDS_EVERY_S = 0.3


async def play_salesforce(demo: Demo, tickets: int, random: Random, say: Say) -> Told:
    """Let so many cases, and some of a priority that nobody wants, live their lives."""
    org, cases = demo.org, wanted(tickets)
    over = asyncio.Event()
    sending = asyncio.create_task(_send(demo, org, say, over))
    lives = (_live(demo, number, random, say, is_wanted=is_wanted) for number, is_wanted in enumerate(cases))
    try:
        await asyncio.gather(*lives)
    finally:
        over.set()
    messages, again, lost = await sending
    return Told(wanted=sum(cases), others=len(cases) - sum(cases), webhooks=messages, duplicates=again, lost=lost)


async def _live(demo: Demo, number: int, random: Random, say: Say, *, is_wanted: bool) -> None:
    """A case is opened, perhaps edited, and closed. A message shows it as it is then, so nobody closes it before it was told of."""
    org = demo.org
    await asyncio.sleep(a_while(random))
    subject = SUMMARIES[-1 - number % len(SUMMARIES)]
    case = org.open(Subject=subject, Priority=random.choice(_PRIORITIES) if is_wanted else UNWANTED_PRIORITY)
    say("crm", f"{case['CaseNumber']} opened")
    await _told(org, case["Id"])
    if demo.lose and is_wanted:
        await a_task_for(demo, "crm", case["Id"])
    if random.random() < 0.6:
        org.edit(case["Id"], Subject=f"{subject} (again)")
        say("crm", f"{case['CaseNumber']} edited")
        await asyncio.sleep(a_while(random))
    org.close(case["Id"])
    say("crm", f"{case['CaseNumber']} closed")
    await _told(org, case["Id"])


async def _told(org: SimulatedSalesforce, record_id: str) -> None:
    async with asyncio.timeout(PATIENCE.total_seconds()):
        while any(waiting.record_id == record_id for waiting in org.queue):  # noqa: ASYNC110 - as a person would look
            await asyncio.sleep(_SENDS_EVERY_S / 3)


async def _send(demo: Demo, org: SimulatedSalesforce, say: Say, over: asyncio.Event) -> tuple[int, int, int]:
    """Send what waits, again and again, until all is over. How many messages, how many of them again, and what was lost."""
    messages = again = lost = 0
    while not over.is_set():
        await asyncio.sleep(_SENDS_EVERY_S)
        if gone := org.lose(demo.lose):
            lost += gone
            say("crm", f"{gone} notification{'s' * (gone > 1)} lost")
        if not org.queue:
            continue
        sent = await org.deliver(f"{demo.bridge}/hooks/crm?token={SECRET}", demo.http, again=0.25, shuffle=True)
        messages += sent.sent
        again += sent.sent - 1
        note = " (twice)" if sent.sent > 1 else ""
        say("crm", f"message with {sent.notifications} notification{'s' * (sent.notifications > 1)}{note}")
    return messages, again, lost
