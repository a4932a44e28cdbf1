"""One replica: the sync core wired as `bridge.service.running` does, on a virtual clock and scheduler, until it is killed."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any, ClassVar

from bridge.apis import TicketApi
from bridge.config import Config
from bridge.model import NewDelivery
from bridge.routes import compile_routes
from bridge.service import DESTINATION, _reopen, _take_over
from bridge.store import DUE, Store
from bridge.store.reconciling import Reconciling
from bridge.sync.follow import Follower
from bridge.sync.gate import Gate
from bridge.sync.lanes import Lanes
from bridge.sync.mending import Mender
from bridge.sync.poller import Polled, Poller
from bridge.sync.reconciler import Reconciler, Sides
from bridge.sync.reconciliation import Reconciliation
from bridge.sync.scheduler import TICK
from bridge.sync.worker import Limits, Worker
from bridge.trackers import trackers
from tests.simulation.chaos import Chaos
from tests.simulation.database import Server, SimulatedDatabase
from tests.simulation.host import Host
from tests.simulation.orchestrator import OrchestratorClient
from tests.simulation.plan import EPOCH, TIMEOUT_S, Setting
from tests.simulation.tracker import SELECTED

SOURCE = "jira"
POLL = timedelta(seconds=60)
RECONCILE = timedelta(seconds=100)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a replica is connected to."""

    server: Server
    orchestrator: OrchestratorClient
    apis: Mapping[str, TicketApi]
    chaos: Chaos


@cache
def following_of(
    on_reopen: str, on_delete: str, closed_on_arrival: str, follows: bool, refresh: bool
) -> Mapping[str, Follower]:
    """What follows the tickets, by the route's options."""
    route: dict[str, Any] = {
        "name": "incidents",
        "source": SOURCE,
        "when": f'ticket.project == "{SELECTED}"',
        "on_reopen": on_reopen,
        "on_delete": on_delete,
        "closed_on_arrival": closed_on_arrival,
        "refresh": refresh,
        "task": {"title": "{{ ticket.title }}", "data": {"key": "{{ ticket.key }}"}},
    }
    if follows:
        route |= {"update": ["title", "priority"], "assign": True}
    orchestrator = {"url": "http://127.0.0.1:1", "auth": {"type": "token", "token": "t"}, "folder_path": "Shared"}
    api = {"url": "http://127.0.0.1:2", "token": "t"}
    sources = {SOURCE: {"type": "jira", "secrets": ["a secret of the tests"], "api": api}}
    config = Config.model_validate({"orchestrator": orchestrator, "sources": sources, "routes": [route]})
    routes = compile_routes(config)
    return {
        name: Follower(config.name, name, DESTINATION, tracker, routes) for name, tracker in trackers(config).items()
    }


class Replica:
    """One life of a replica."""

    ticking: ClassVar[bool] = True
    """Whether it looks for work that nobody announced; only a planted bug says no."""

    def __init__(self, host: Host, setting: Setting, outside: Outside, random: Random) -> None:
        self.host = host
        self._server = outside.server
        self._loop = asyncio.get_running_loop()
        self._skew = setting.skews[host.number - 1]
        self._random = random
        following = following_of(
            setting.on_reopen, setting.on_delete, setting.closed_on_arrival, setting.follows, setting.refresh
        )
        self._tracker = following[SOURCE].tracker
        database = SimulatedDatabase(outside.server, host, outside.chaos, is_sqlite=setting.engine == "sqlite")
        self._store = Store(
            database, on_delivery=lambda source: self._lanes.wake(source), on_due=lambda: self._worker.wake()
        )
        timeout = timedelta(seconds=TIMEOUT_S)
        gate = Gate(DESTINATION, self._store.pauses, random, self.clock)
        self._lanes = Lanes(self._store, following, outside.apis, self.clock, on_due=lambda: self._worker.wake())
        self._worker = Worker(
            self._store,
            outside.orchestrator,
            gate,
            Limits(timeout, setting.concurrency, partial(_reopen, following)),
            self.clock,
            random,
            alarm=self._alarm,
        )
        polled = [Polled(name, following[name].tracker, api, POLL) for name, api in outside.apis.items()]
        self._pollers = [Poller(each, self._store, self.clock) for each in polled if setting.polled]
        sides = Sides(outside.orchestrator, following, outside.apis, [SOURCE])
        links = Reconciling(database, DESTINATION)
        self._reconciliation = Reconciliation(
            Reconciler(links, "bridge", sides, self.clock), Mender(self._store, links, sides, self.clock)
        )
        self._reconciling: asyncio.Task[None] | None = None
        self.reconciled_at = -1.0
        """When the last reconciliation began that came to its end."""
        self._next_tick: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def clock(self) -> datetime:
        """The replica's own clock."""
        return EPOCH + timedelta(seconds=self._loop.time() + self._skew)

    async def run(self) -> None:
        """Start everything."""
        await _take_over(self._store, self.clock() + timedelta(seconds=TIMEOUT_S))
        self._begin(self._store.signals.listen(self._heard))
        for work in (
            self._store.signals.tell,
            self._lanes.run,
            self._worker.run,
            *(poller.run for poller in self._pollers),
        ):
            self._begin(work())
        self._lanes.wake()
        self._worker.wake()
        for poller in self._pollers:
            poller.wake()
            self._every(POLL, poller.wake)
        self._every(RECONCILE, self._reconcile)
        self.expect_work()

    def _heard(self, what: str | None) -> None:
        """As the service does."""
        if self.host.dead:
            return
        if what in (None, DUE):
            self._worker.wake()
        if what != DUE:
            self._lanes.wake(what)

    async def receive(self, headers: Mapping[str, str], body: bytes) -> list[str]:
        """Take a webhook as the receiver does; the keys by which its deliveries are known. Raises `StoreUnavailable`."""
        now = self.clock()
        recognised = self._tracker.recognise(headers, body, now)
        deliveries = [
            NewDelivery(SOURCE, found.dedupe_key, now, found.event, found.ticket_id, found.body, {})
            for found in recognised
        ]
        await self._store.inbox.append(deliveries)
        await self.host.alive()
        return [delivery.dedupe_key for delivery in deliveries]

    # -- the scheduler ---------------------------------------------------------------------------------------------------------------

    def expect_work(self) -> None:
        """The database has changed. A tick at which nothing waits and nothing is due would change nothing: those are left out."""
        if not self.ticking or self.host.dead:
            return
        soon = self._loop.time() + TICK.total_seconds()
        if self._next_tick is not None and self._next_tick.when() > soon:
            self._next_tick.cancel()
            self._next_tick = None
        if self._next_tick is None:
            self._next_tick = self._loop.call_at(soon, self._tick)

    def _tick(self) -> None:
        self._next_tick = None
        if self.host.dead:
            return
        pending, due_at = self._server.pending(), self._server.next_due()
        now = self.clock().timestamp()
        if pending:
            self._lanes.wake(SOURCE)
        if due_at is not None and due_at <= now:
            self._worker.wake()
        if pending or due_at is not None:
            wait = TICK.total_seconds()
            if not pending and due_at is not None:
                wait = max(wait, math.ceil(due_at - now))
            self._next_tick = self._loop.call_later(wait, self._tick)

    def _alarm(self, at: datetime) -> None:
        wait = (at - self.clock()).total_seconds()
        if wait < TICK.total_seconds():
            self._later(max(wait, 0.0), self._worker.wake)

    def _every(self, period: timedelta, job: Callable[[], None]) -> None:
        """A job, again and again, with APScheduler's jitter."""

        def again() -> None:
            job()
            self._every(period, job)

        spread = period.total_seconds() * 0.1
        self._later(period.total_seconds() + self._random.uniform(-spread, spread), again)

    def _later(self, wait: float, job: Callable[[], None]) -> None:
        def unless_dead() -> None:
            if not self.host.dead:
                job()

        self._loop.call_later(wait, unless_dead)

    def _reconcile(self) -> None:
        if self._reconciling is None or self._reconciling.done():
            self._reconciling = self._begin(self._reconcile_once())

    async def _reconcile_once(self) -> None:
        began = self._loop.time()
        await self._reconciliation.run()
        self.reconciled_at = began

    def _begin(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
