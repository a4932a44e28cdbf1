"""The play of a bad day: people work in a Jira, its webhooks come late, twice and in any order, and everything else fails.

The bridge's processes are killed, PostgreSQL crashes, and a third of what Orchestrator answers is a fault. Nobody heals anything: no
poll, no reconciliation. What Jira shows at the end is what the tasks must have come to, one of each generation.
"""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import httpx
from sqlalchemy import select

from bridge.model import DeliveryState, LinkState
from bridge.sandbox.jira import SimulatedJira, Webhook
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.sending import retried
from bridge.sandbox.orchestrator import Rule, World
from bridge.sandbox.orchestrator.model import Activity, Task
from bridge.service import utc_now
from bridge.store import LinkFilter, Store
from bridge.store.tables import deliveries
from tests.driving import signature, until
from tests.processes import Replica, replica

AT_ONCE = 500
"""How many tickets are in people's hands at a time."""

BRINGERS = 16
"""How many webhooks are brought at a time."""

IN_THE_BAG = 200
"""How many webhooks wait to be brought, more or less: enough for any order, and few enough that none waits for minutes."""

PATIENCE_S = 900
"""How long people wait for a task. Each death of a process may cost it 36 s, and a machine may be slow."""

OFTEN, SELDOM = 0.075, 0.003
"""What makes the bridge pause is seldom: it would be quiet for most of the day otherwise, and quiet is easy."""


def faults(seed: int) -> list[Rule]:
    """What strikes a third of Orchestrator's answers: before the work is done, or after it, so that only the answer is lost."""
    return [
        Rule(kind="drop", when="before", rate=OFTEN, seed=100 * seed + 1),
        Rule(kind="drop", when="after", rate=OFTEN, seed=100 * seed + 2),
        Rule(kind="error", when="before", status=500, rate=OFTEN, seed=100 * seed + 3),
        Rule(kind="error", when="after", status=500, rate=OFTEN, seed=100 * seed + 4),
        Rule(kind="error", when="before", status=503, rate=SELDOM, seed=100 * seed + 5),
        Rule(kind="error", when="after", status=502, rate=SELDOM, seed=100 * seed + 6),
        Rule(kind="rate_limit", when="before", retry_after=1, rate=SELDOM, seed=100 * seed + 7),
        Rule(kind="hang", when="before", rate=SELDOM, seed=100 * seed + 8),
        Rule(kind="hang", when="after", rate=SELDOM, seed=100 * seed + 9),
        Rule(kind="latency", when="before", seconds=0.3, rate=OFTEN, seed=100 * seed + 10),
    ]


# -- the bridge's processes ------------------------------------------------------------------------------------------------------------


class Fleet:
    """The replicas of a bridge. One that dies is started again, as a supervisor does."""

    def __init__(self, config: Path, size: int) -> None:
        self._config = config
        self._stacks = [AsyncExitStack() for _ in range(size)]
        self.replicas: list[Replica] = []
        self.logs: list[dict[str, Any]] = []
        self.kills = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Fleet"]:
        """All of them; killed on leaving."""
        try:
            self.replicas += await asyncio.gather(*map(self._start, self._stacks))
            yield self
        finally:
            for stack in self._stacks:
                await stack.aclose()

    async def kill(self, number: int) -> None:
        """kill -9."""
        self.kills += 1
        self.replicas[number].process.kill()
        await self.replicas[number].process.process.wait()

    async def revive(self, number: int) -> None:
        """Start what was killed."""
        await self._stacks[number].aclose()
        self.replicas[number] = await self._start(self._stacks[number])

    async def stop(self) -> list[int]:
        """SIGTERM to all; their exit codes."""
        return list(await asyncio.gather(*(each.process.stopped() for each in self.replicas)))

    async def ready(self) -> bool:
        """Whether one of them can do its work."""
        return any(status == 200 for status in await self._readiness())

    async def at_a_loss(self) -> bool:
        """Whether those that live all say that they cannot."""
        return all(status in (503, None) for status in await self._readiness())

    async def _readiness(self) -> list[int | None]:
        return list(await asyncio.gather(*(_readiness(each) for each in self.replicas)))

    async def quiet(self) -> bool:
        """Whether nothing is left to do."""
        summary = (await self.replicas[0].http.get("/api/v1/summary")).raise_for_status().json()
        links, deliveries = summary["links"], summary["deliveries"]
        return not (links["pending"] or links["waiting"] or deliveries["pending"])

    async def _start(self, stack: AsyncExitStack) -> Replica:
        started = await stack.enter_async_context(replica(self._config))
        stack.callback(self.logs.extend, started.process.lines)
        return started


async def _readiness(of: Replica) -> int | None:
    try:
        return (await of.http.get("/readyz")).status_code
    except (httpx.TransportError, RuntimeError):  # it is dead, or its client is closed already
        return None


# -- the tracker ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Letter:
    """A webhook on its way."""

    webhook: Webhook
    identifier: str
    tries: int = 0


class Postman:
    """Brings webhooks to any replica, in any order, some of them twice, until each is taken; a share of them it loses.

    Jira Cloud gives up after five retries that are minutes apart; a play has no minutes, so that this one tries as often as it takes.
    """

    def __init__(self, fleet: Fleet, http: httpx.AsyncClient, random: Random, lost: float = 0) -> None:
        self._fleet = fleet
        self._http = http
        self._random = random
        self._lost = lost
        self._waiting: list[Letter] = []
        self._later: list[Letter] = []
        self._news = asyncio.Condition()
        self._under_way = 0
        self.acknowledged: set[str] = set()
        self.tries = Counter[str]()
        """By status, or `none` where there was no answer."""

    async def post(self, webhooks: Iterable[Webhook]) -> None:
        """Take webhooks along; some are brought again, as they are or as another webhook of the same Jira tells it."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._waiting) < IN_THE_BAG)
        for webhook in webhooks:
            if self._random.random() < self._lost:
                continue
            self._waiting.append(Letter(webhook, webhook.identifier))
            if self._random.random() < 0.2:
                self._later.append(Letter(webhook, webhook.identifier))
            if self._random.random() < 0.1:
                self._later.append(Letter(webhook, f"{webhook.identifier}-again"))
        await self._tell()

    async def bring(self) -> None:
        """Go on until cancelled."""
        while True:
            letter = await self._next()
            try:
                await self._bring(letter)
            finally:
                self._under_way -= 1
            await self._tell()

    async def done(self) -> None:
        """Wait until everything was taken, what was kept for later too."""
        async with self._news:
            self._waiting += self._later
            self._later.clear()
            self._news.notify_all()
            await self._news.wait_for(lambda: not self._waiting and not self._under_way)

    async def until_acknowledged(self, count: int) -> None:
        """Wait until so many different webhooks were taken."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.acknowledged) >= count)

    async def _next(self) -> Letter:
        async with self._news:
            await self._news.wait_for(lambda: bool(self._waiting))
            self._under_way += 1
            return self._waiting.pop(self._random.randrange(len(self._waiting)))

    async def _bring(self, letter: Letter) -> None:
        status = await self._try(letter, self._random.choice(self._fleet.replicas))
        self.tries[str(status or "none")] += 1
        if retried(status):
            self._waiting.append(Letter(letter.webhook, letter.identifier, letter.tries + 1))
            await until(self._fleet.ready, "a replica is ready again", every=0.2)
            return
        assert status == 202, f"{status} for {letter}"
        self.acknowledged.add(letter.identifier)
        if self._later and self._random.random() < 0.2:
            self._waiting.append(self._later.pop(self._random.randrange(len(self._later))))

    async def _try(self, letter: Letter, to: Replica) -> int | None:
        body = letter.webhook.body
        headers = {"Content-Type": "application/json", "X-Atlassian-Webhook-Identifier": letter.identifier}
        if letter.tries:
            headers["X-Atlassian-Webhook-Retry"] = str(letter.tries)
        try:
            answer = await self._http.post(f"{to.url}/hooks/jira", content=body, headers=headers | signature(body))
        except (httpx.TransportError, aiohttp.ClientError, OSError):
            return None
        return answer.status_code

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


# -- the people ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to a ticket: edits, a close, perhaps a reopening, perhaps another close.

    Its people may be hasty: then all of it has happened before anybody hears of it. Patient ones wait for its task each time.
    """

    edits: int
    reopened: bool
    closed_again: bool
    patient: bool

    @property
    def webhooks(self) -> int:
        """How many tell of it."""
        return 3 + self.edits + 2 * self.reopened + self.closed_again

    @property
    def generations(self) -> range:
        """How many tasks there may be: a close that is heard of after the reopening that followed it ends no task."""
        most = 1 + self.reopened
        return range(most if self.patient else 1, most + 1)


def lives(tickets: int, random: Random, patient: float = 0.5) -> list[Life]:
    """Half of all tickets are reopened, and half of those closed again."""
    return [
        Life(random.randrange(4), number % 2 == 1, number % 4 == 3, random.random() < patient)
        for number in range(tickets)
    ]


class Watch:
    """Tells when a ticket's task of a generation was created, or completed: as somebody sees who looks at Action Center."""

    def __init__(self, world: World) -> None:
        self._seen: dict[tuple[str | None, str], asyncio.Event] = {}
        world.listeners.append(self._hear)

    async def see(self, issue: Issue, seen: "Seen") -> None:
        """Wait for it; patience has an end, and the verdict tells then what was lost."""
        generation, kind = seen
        with suppress(TimeoutError):
            await asyncio.wait_for(self._event(key_of(issue, generation), kind).wait(), PATIENCE_S)

    def _hear(self, activity: Activity) -> None:
        self._event(activity.task.request.parent_operation_id, activity.kind).set()

    def _event(self, key: str | None, kind: str) -> asyncio.Event:
        return self._seen.setdefault((key, kind), asyncio.Event())


Seen = tuple[int, str]
"""A generation, and what became of its task."""


def key_of(issue: Issue, generation: int) -> str:
    """The key of its task, as docs/guarantees.md says."""
    return f"bridge/jira/{issue.id}/{generation}"


Mishap = tuple[int, Callable[[], Awaitable[None]]]
"""What happens once so many webhooks were taken."""


@dataclass(frozen=True, slots=True)
class Play:
    """Everybody who takes part."""

    jira: SimulatedJira
    postman: Postman
    watch: Watch
    told: list[tuple[Life, Issue]] = field(default_factory=list)

    async def perform(self, stories: Sequence[Life], mishaps: Iterable[Mishap]) -> None:
        """Let every ticket live its life; returns when each webhook was taken, or lost."""
        at_once = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as bringing:
            bringers = [bringing.create_task(self.postman.bring()) for _ in range(BRINGERS)]
            async with asyncio.TaskGroup() as living:
                living.create_task(self._suffer(mishaps))
                for life in stories:
                    living.create_task(self._live(life, at_once))
            await self.postman.done()
            for bringer in bringers:
                bringer.cancel()

    async def _suffer(self, mishaps: Iterable[Mishap]) -> None:
        for taken, strike in mishaps:
            await self.postman.until_acknowledged(taken)
            await strike()

    async def _live(self, life: Life, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            issue, opened = self.jira.open("OPS", "Printer on fire")
            self.told.append((life, issue))
            written = [opened]
            for webhook, seen in self._acts(life, issue):
                written.append(webhook)
                if life.patient and seen is not None:
                    await self.postman.post(written)
                    written.clear()
                    await self.watch.see(issue, seen)
            await self.postman.post(written)

    def _acts(self, life: Life, issue: Issue) -> Iterator[tuple[Webhook, Seen | None]]:
        """What is done to a ticket, one thing after another, and what patient people wait for before they do the next."""
        for number in range(life.edits):
            yield self.jira.edit(issue, summary=f"Printer on fire, edit {number}"), None
        yield self.jira.comment(issue, "is it still on fire?"), (1, "Created")
        yield self.jira.close(issue), (1, "Completed")
        if life.reopened:
            yield self.jira.reopen(issue), None
            yield self.jira.edit(issue, summary="Printer on fire again"), (2, "Created")
        if life.closed_again:
            yield self.jira.close(issue), (2, "Completed")


# -- the verdict -----------------------------------------------------------------------------------------------------------------------


def wrong_tasks(play: Play, world: World) -> list[str]:
    """What is lost, doubled or other than its ticket."""
    tasks: dict[str | None, list[Task]] = {}
    for task in world.all_tasks():
        tasks.setdefault(task.request.parent_operation_id, []).append(task)
    doubled = [f"{key}: {len(found)} tasks" for key, found in tasks.items() if len(found) > 1]
    wrong = [one for life, issue in play.told for one in _wrong_generations(life, issue, tasks)]
    strangers = tasks.keys() - {key_of(issue, generation) for _, issue in play.told for generation in (1, 2)}
    return [*doubled, *wrong, *(f"{key}: whose is it?" for key in strangers)]


def _wrong_generations(life: Life, issue: Issue, tasks: Mapping[str | None, Sequence[Task]]) -> Iterator[str]:
    found = [tasks[key][0] for generation in (1, 2) if (key := key_of(issue, generation)) in tasks]
    if len(found) not in life.generations or (found and key_of(issue, len(found)) not in tasks):
        yield f"{issue.key}: {len(found)} generations, not {life.generations}: {life}"
        return
    completions = [task.completions for task in found]
    if completions != [1] * (len(found) - 1) + [int(issue.closed)]:
        yield f"{issue.key}: completed {completions} times, closed: {issue.closed}"
    if any(task.deletion_time for task in found):
        yield f"{issue.key}: a task was deleted"
    title = f"[{issue.key}] {issue.fields['summary']}"
    if not issue.closed and found[-1].request.title != title:
        yield f"{issue.key}: its task shows {found[-1].request.title!r}, not {title!r}"


async def wrong_rows(play: Play, store: Store) -> list[str]:
    """What was acknowledged and is not there or was not applied; what is parked or not settled."""
    async with store.database.reading() as connection:
        rows = await connection.execute(select(deliveries.c.dedupe_key, deliveries.c.state, deliveries.c.reason))
        kept = {row.dedupe_key.partition(":")[2]: row for row in rows}
    keys = {hashlib.sha256(one.encode()).hexdigest()[:32] for one in play.postman.acknowledged}
    lost = [f"delivery {key} was acknowledged, and is lost" for key in keys - kept.keys()]
    unapplied = [
        f"delivery {row.dedupe_key} is {row.state}: {row.reason}"
        for row in kept.values()
        if row.state != DeliveryState.APPLIED
    ]
    now = utc_now()
    links = await store.links.list(LinkFilter(limit=10 * len(play.told)), now)
    unsettled = [
        f"link {link.id} is {link.state(now)}: {link.last_error}"
        for link in links
        if link.state(now) != LinkState.SETTLED
    ]
    return [*lost, *unapplied, *unsettled]


EXPECTED_ERRORS = {"webhook not committed"}


def wrong_lines(lines: Iterable[Mapping[str, Any]]) -> list[str]:
    """What no log should say: errors that are nobody's fault but ours, and what was written past the log."""
    return [
        json.dumps(line, default=str)[:2000]
        for line in lines
        if line.get("level", "none") not in {"debug", "info", "warning"} and line["event"] not in EXPECTED_ERRORS
    ]
