"""Salesforce's cases in the demo: outbound messages with what changed meanwhile, in any order, some of them twice."""

import asyncio
from random import Random

from bridge.demo.stage import PATIENCE, SECRET, UNWANTED_PRIORITY, Demo
from bridge.demo.stories import SUMMARIES, Say, Told, a_while, wanted
from bridge.sandbox.salesforce import SimulatedSalesforce
from bridge.service import utc_now

_PRIORITIES = ("High", "Medium")
_SENDS_EVERY_S = 0.3


async def play_salesforce(demo: Demo, tickets: int, random: Random, say: Say) -> Told:
    """Let so many cases, and some of a priority that nobody wants, live their lives."""
    org = SimulatedSalesforce(utc_now, random)
    cases = wanted(tickets)
    over = asyncio.Event()
    sending = asyncio.create_task(_send(demo, org, say, over))
    lives = (_live(org, number, random, say, is_wanted=is_wanted) for number, is_wanted in enumerate(cases))
    try:
        await asyncio.gather(*lives)
    finally:
        over.set()
    messages, again = await sending
    return Told(wanted=sum(cases), others=len(cases) - sum(cases), webhooks=messages, duplicates=again)


async def _live(org: SimulatedSalesforce, number: int, random: Random, say: Say, *, is_wanted: bool) -> None:
    """A case is opened, perhaps edited, and closed. A message shows it as it is then, so nobody closes it before it was told of."""
    await asyncio.sleep(a_while(random))
    subject = SUMMARIES[-1 - number % len(SUMMARIES)]
    case = org.open(Subject=subject, Priority=random.choice(_PRIORITIES) if is_wanted else UNWANTED_PRIORITY)
    say("crm", f"{case['CaseNumber']} opened")
    await _told(org, case["Id"])
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


async def _send(demo: Demo, org: SimulatedSalesforce, say: Say, over: asyncio.Event) -> tuple[int, int]:
    """Send what waits, again and again, until all is over. How many messages, and how many of them again."""
    messages = again = 0
    while not over.is_set():
        await asyncio.sleep(_SENDS_EVERY_S)
        if not org.queue:
            continue
        sent = await org.deliver(f"{demo.bridge}/hooks/crm?token={SECRET}", demo.http, again=0.25, shuffle=True)
        messages += sent.sent
        again += sent.sent - 1
        note = " (twice)" if sent.sent > 1 else ""
        say("crm", f"message with {sent.notifications} notification{'s' * (sent.notifications > 1)}{note}")
    return messages, again
