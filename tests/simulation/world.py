"""A world: a plan played to its end, and what was seen of it."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from random import Random

import structlog
from structlog.typing import EventDict, WrappedLogger

from bridge.errors import StoreUnavailable
from bridge.model import TaskState
from tests.simulation.chaos import Chaos
from tests.simulation.database import Server
from tests.simulation.host import Host
from tests.simulation.invariants import violations
from tests.simulation.loop import Spinning, VirtualLoop
from tests.simulation.orchestrator import OrchestratorClient, TaskServer
from tests.simulation.plan import Behind, Change, Incident, Plan
from tests.simulation.records import Acknowledged, Records
from tests.simulation.replica import SOURCE, Outside, Replica
from tests.simulation.tracker import TrackerClient, TrackerServer, Webhook, headers_of

PATIENCE_S = 10.0
"""How long the tracker waits for an answer to a webhook."""

LOOK_S = 10.0
"""How often it is looked whether a world has come to rest."""

LATEST_S = 3 * 3600.0
"""So long after the faults have ended, whatever is still due is due forever."""

_RETRIES_S = (1.0, 5.0, 20.0, 60.0, 60.0)


@dataclass(frozen=True, slots=True)
class Run:
    """How a plan ended: what does not hold, and what happened if that was to be told."""

    violations: list[str]
    story: list[tuple[float, str, str]] = field(default_factory=list)


@cache
def server() -> Server:
    """The database server of this process."""
    return Server()


def run(plan: Plan, *, tell: bool = False) -> Run:
    """Play a plan in a loop of its own."""
    loop = VirtualLoop()
    try:
        world = _World(plan, loop, tell=tell)
        with silent(world.mistakes, world.late):
            try:
                loop.run_until_complete(world.play())
            except Spinning as stuck:
                world.mistakes.append(str(stuck))
            found = violations(world.records(server()))
            world.end()
        return Run(found, world.story)
    finally:
        loop.close()
        server().reset()


class _World:
    def __init__(self, plan: Plan, loop: VirtualLoop, *, tell: bool) -> None:
        setting = plan.setting
        self._plan = plan
        self._loop = loop
        self._telling = tell
        self.story: list[tuple[float, str, str]] = []
        self.mistakes: list[str] = []
        self.late: set[int] = set()
        self._random = Random(f"world {plan.seed}")
        self._chaos = Chaos(loop.time, self._random, setting.busy, self._crash)
        self._tracker = TrackerServer(loop.time, setting.tracker_skew)
        self._orchestrator = TaskServer(loop.time, self._random, self._tell)
        self._quiet_since = 0.0
        self._polls: set[float] = set()
        self._replicas: dict[int, Replica] = {}
        self._hosts: list[Host] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = 0
        self._acknowledged: list[Acknowledged] = []
        loop.set_exception_handler(lambda _loop, _context: None)  # the dead are found with their mouths open

    def records(self, database: Server) -> Records:
        """What is left to be judged."""
        return Records(
            database.connection,
            self._plan.setting,
            self._tracker.issues,
            self._orchestrator.tasks,
            self._acknowledged,
            self.mistakes,
            self.late,
        )

    async def play(self) -> None:
        """The faults, the rest after them, and as long as something is due."""
        server().on_commit = self._expect_work
        for number in range(1, len(self._plan.setting.skews) + 1):
            self._start(number)
        for incident in self._plan.incidents:
            self._loop.call_at(incident.at, self._strike, incident)
        await asyncio.sleep(self._plan.until)
        self._chaos.end()
        self._tell("the world", "the faults have ended")
        for number, replica in self._replicas.items():
            if replica.host.dead:
                self._start(number)
        while not self._at_rest() and self._loop.time() < self._plan.until + LATEST_S:  # noqa: ASYNC110 - only looking tells
            await asyncio.sleep(LOOK_S)

    def _at_rest(self) -> bool:
        """Whether two polls (the first may go on where a dead one stood) and a reconciliation have gone by, and nothing is due."""
        if self._sending or server().pending() or server().next_due() is not None:
            self._quiet_since = self._loop.time()
            self._polls.clear()
            return False
        since = max(self._plan.until, self._quiet_since)
        polled_at = server().polled_at()
        if polled_at > since + self._plan.setting.index_lag:
            self._polls.add(polled_at)
        polled = not self._plan.setting.polled or len(self._polls) > 1
        return polled and any(replica.reconciled_at > since for replica in self._replicas.values())

    def end(self) -> None:
        """Let everybody go who still waits."""
        for host in self._hosts:
            host.over = True
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        left = asyncio.all_tasks(self._loop)
        assert not left, f"they outlive their world: {left}"

    def _tell(self, who: str, what: str) -> None:
        if self._telling:
            self.story.append((self._loop.time(), who, what))

    # -- incidents -------------------------------------------------------------------------------------------------------------------

    def _strike(self, incident: Incident) -> None:
        self._tell("the plan", str(incident))
        match incident:
            case Change():
                if webhook := self._tracker.change(incident):
                    for delay, identifier in zip(incident.copies, webhook.identifiers, strict=True):
                        self._begin(self._send(webhook, identifier, delay))
            case Behind():
                self._end_behind(incident)
            case _:
                self._chaos.arm(incident)
                for replica in list(self._replicas.values()):
                    if not replica.host.dead:
                        self._chaos.strike(replica.host, "at once")

    def _end_behind(self, incident: Behind) -> None:
        of = f"bridge/{SOURCE}/{10000 + incident.ticket}/"
        tasks = [task for task in self._orchestrator.tasks.values() if task.key.startswith(of)]
        if tasks and tasks[-1].state is TaskState.OPEN:
            state = TaskState.COMPLETED if incident.how == "completed" else TaskState.GONE
            self._orchestrator.end(tasks[-1], state, "somebody")

    def _start(self, number: int) -> None:
        if number in self._replicas and not self._replicas[number].host.dead:
            return
        host = Host(number)
        setting, random = self._plan.setting, Random(f"{self._plan.seed} {len(self._hosts)}")
        self._hosts.append(host)
        orchestrator = OrchestratorClient(
            self._orchestrator, host, self._chaos, self._random, self._tell, setting.concurrency
        )
        tracker = TrackerClient(self._tracker, host, self._chaos, self._random, setting.index_lag)
        apis = {SOURCE: tracker} if setting.polled else {}
        replica = Replica(host, setting, Outside(server(), orchestrator, apis, self._chaos), random)
        self._replicas[number] = replica
        self._tell(host.name, "starts")
        self._begin(replica.run())

    def _crash(self, host: Host, down: float) -> None:
        host.dead = True
        server().forget(host)
        self._tell(host.name, "is killed")
        self._loop.call_later(down, self._start, host.number)

    def _expect_work(self) -> None:
        for replica in self._replicas.values():
            replica.expect_work()

    # -- webhooks --------------------------------------------------------------------------------------------------------------------

    async def _send(self, webhook: Webhook, identifier: str, delay: float) -> None:
        """One copy, sent until it is acknowledged; where the bridge polls, the tracker gives up after a while."""
        self._sending += 1
        await asyncio.sleep(delay)
        retries = iter(_RETRIES_S)
        while not await self._delivered(webhook, identifier):
            wait = next(retries, None if self._plan.setting.polled else _RETRIES_S[-1])
            if wait is None:
                break
            await asyncio.sleep(wait)
        self._sending -= 1

    async def _delivered(self, webhook: Webhook, identifier: str) -> bool:
        there = [replica for replica in self._replicas.values() if not replica.host.dead]
        if not there:
            return False
        replica = self._random.choice(there)
        request = asyncio.ensure_future(replica.receive(headers_of(identifier), webhook.body))
        await asyncio.wait({request}, timeout=PATIENCE_S)
        if not request.done():
            self._tell(replica.host.name, f"does not answer webhook {identifier}")
            request.add_done_callback(lambda done: done.cancelled() or done.exception())
            return False
        try:
            keys = request.result()
        except StoreUnavailable as error:
            self._tell(replica.host.name, f"answers webhook {identifier} with 503: {error}")
            return False
        self._tell(replica.host.name, f"acknowledges webhook {identifier}")
        self._acknowledged += [Acknowledged(webhook.ticket, key, webhook.is_open_here) for key in keys]
        return True

    def _begin(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@contextmanager
def silent(mistakes: list[str], late: set[int]) -> Iterator[None]:
    """No log, but for what the core itself takes for a mistake of ours, and for the links of which an outcome came too late."""

    def keep(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        if "exc_info" in event or "mistake of ours" in event["event"]:
            mistakes.append(f"no mistake of ours: {event['event']}: {sys.exc_info()[1]!r}")
        if event["event"].startswith("lease lost"):
            late.add(event["link"])
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(30),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.configure(**before)
