"""The service: every part made from the configuration, started and stopped in the right order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import structlog

from bridge.apis import TicketApi, ticket_apis
from bridge.config import Config, JiraSource, SalesforceSource
from bridge.errors import BridgeError, StoreUnavailable
from bridge.fold import Snapshot
from bridge.model import Link
from bridge.orchestrator import Orchestrator
from bridge.routes import compile_routes
from bridge.store import DUE, Database, Revisions, Store, upgrade
from bridge.store.reconciling import Reconciling
from bridge.sync.follow import Follower
from bridge.sync.gate import Gate
from bridge.sync.job import once_for_all
from bridge.sync.lanes import Lanes
from bridge.sync.mending import Mender
from bridge.sync.poller import Polled, Poller
from bridge.sync.reconciler import Reconciler, Sides
from bridge.sync.reconciliation import Reconciliation
from bridge.sync.retention import retain
from bridge.sync.scheduler import Scheduler
from bridge.sync.worker import Limits, Worker
from bridge.trackers import Tracker, trackers

DESTINATION = "orchestrator"
"""The name of the one Orchestrator that a configuration has today."""

STOP_WITHIN = timedelta(seconds=12)
"""How long a stop waits for the calls that are under way. With the server's grace it stays well below 30 s, when others kill."""

LOOPS_END_WITHIN = timedelta(seconds=5)
"""How long a stop waits for the batch that the intake has in hand."""

RETENTION_EVERY = timedelta(hours=1)

FIRST_JOB_AFTER = timedelta(minutes=5)
"""What waited while the bridge was down goes first."""

Clock = Callable[[], datetime]

_log = structlog.get_logger()


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


def followers(config: Config) -> dict[str, Follower]:
    """What follows the tickets of each source."""
    routes = compile_routes(config)
    return {
        name: Follower(config.name, name, DESTINATION, tracker, routes) for name, tracker in trackers(config).items()
    }


def open_store(
    config: Config,
    on_delivery: Callable[[str], None] = lambda _source: None,
    on_due: Callable[[], None] = lambda: None,
    *,
    beside: bool = False,
) -> Store:
    """The store of a configuration, for the service or for somebody `beside` it. Close its database after use."""
    return Store(Database(config.database.url, beside=beside), on_delivery, on_due)


async def migrate(config: Config) -> Revisions:
    """Bring the configuration's database to this version's schema; the revisions before it."""
    database = Database(config.database.url, command_timeout=None)
    try:
        return await upgrade(database)
    finally:
        await database.close()


def reconciliation(
    config: Config, store: Store, orchestrator: Orchestrator, apis: Mapping[str, TicketApi], clock: Clock
) -> Reconciliation:
    """What compares the links of a configuration with the systems on both their sides, and mends them."""
    tags = {source.external_tag or name for name, source in config.sources.items()}
    sides = Sides(orchestrator, followers(config), apis, tags)
    links = Reconciling(store.database, DESTINATION)
    return Reconciliation(Reconciler(links, config.name, sides, clock), Mender(store, links, sides, clock))


@dataclass(frozen=True, slots=True)
class Service:
    """The running parts that the web application needs."""

    config: Config
    store: Store
    trackers: dict[str, Tracker]
    refresh: Callable[[Link, Snapshot], Link]
    scheduler: Scheduler
    polled: Sequence[str]
    drift: Callable[[], Mapping[str, int]]
    clock: Clock


@asynccontextmanager
async def running(config: Config, clock: Clock = utc_now, random: Random | None = None) -> AsyncIterator[Service]:
    """The sync core at work on a database whose schema is current. On leaving, what is under way ends, within a bound."""
    random = random or Random()  # noqa: S311 - jitter, not a secret
    following = followers(config)
    store = open_store(config, on_delivery=lambda source: lanes.wake(source), on_due=lambda: worker.wake())
    async with Orchestrator(config.orchestrator, clock) as orchestrator, ticket_apis(config, clock) as apis:
        limits = Limits(config.orchestrator.timeout, config.orchestrator.max_concurrency, partial(_reopen, following))
        gate = Gate(DESTINATION, store.pauses, random, clock)
        lanes = Lanes(store, following, apis, clock, on_due=lambda: worker.wake())

        def tick() -> None:
            lanes.wake()
            worker.wake()

        pollers = [Poller(each, store, clock) for each in polls(config, following, apis)]
        reconciling = reconciliation(config, store, orchestrator, apis, clock)
        scheduler = _scheduler(config, store, tick, pollers, reconciling, clock)
        worker = Worker(store, orchestrator, gate, limits, clock, random, alarm=scheduler.alarm)
        await _take_over(store, clock() + limits.timeout)
        tasks = [asyncio.create_task(lanes.run()), asyncio.create_task(worker.run())]
        polling = [asyncio.create_task(poller.run()) for poller in pollers]

        def heard(what: str | None) -> None:
            if what is None:
                tick()
            elif what == DUE:
                worker.wake()
            else:
                lanes.wake(what)

        signalling = [asyncio.create_task(each) for each in (store.signals.listen(heard), store.signals.tell())]
        tick()
        for poller in pollers:
            poller.wake()
        scheduler.start()
        try:
            yield Service(
                config=config,
                store=store,
                trackers=trackers(config),
                refresh=partial(refresh, following),
                scheduler=scheduler,
                polled=[poller.source for poller in pollers],
                drift=reconciling.drift,
                clock=clock,
            )
        finally:
            scheduler.stop()
            await _cancel([*signalling, *polling])  # a poll can end anywhere: the next one goes on where it stood
            lanes.stop()
            worker.stop()
            await asyncio.wait(tasks, timeout=LOOPS_END_WITHIN.total_seconds())
            await _cancel(tasks)
            if left := await worker.finish(STOP_WITHIN):
                _log.warning("calls were left under way; the next start finds out how they ended", calls=left)
            await store.database.close()


def _scheduler(
    config: Config,
    store: Store,
    tick: Callable[[], None],
    pollers: Sequence[Poller],
    reconciling: Reconciliation,
    clock: Clock,
) -> Scheduler:
    """All that is done by the clock."""
    scheduler = Scheduler(tick)
    for poller in pollers:
        scheduler.every(poller.every, poller.due, name=f"poll {poller.source}", first=poller.every)
    jobs: list[tuple[str, timedelta, Callable[[], Awaitable[None]]]] = [
        ("retention", RETENTION_EVERY, partial(retain, store, config.retention, clock))
    ]
    if config.reconcile is not None:
        jobs.append(("reconcile", config.reconcile, reconciling.run))
    for name, period, work in jobs:
        job = once_for_all(store.leases, name, period, work, clock)
        scheduler.every(period, job, name=name, first=min(FIRST_JOB_AFTER, period))
    return scheduler


def polls(config: Config, following: Mapping[str, Follower], apis: Mapping[str, TicketApi]) -> list[Polled]:
    """The sources that are polled."""
    return [
        Polled(name, following[name].tracker, apis[name], every)
        for name, source in config.sources.items()
        if isinstance(source, JiraSource | SalesforceSource) and (every := source.poll) is not None
    ]


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def refresh(following: Mapping[str, Follower], link: Link, snapshot: Snapshot) -> Link:
    """The link with its requests as the configuration says now; a link of a source that it has no more stays as it is."""
    return following[link.source].refresh(link, snapshot) if link.source in following else link


def _reopen(following: Mapping[str, Follower], ended: Link, snapshot: Snapshot, now: datetime) -> Link:
    if ended.source not in following:
        raise BridgeError(f"the configuration has no source {ended.source!r} any more")
    return following[ended.source].reopen(ended, snapshot, now)


async def _take_over(store: Store, safe_at: datetime) -> None:
    """On SQLite this is the only process: what its predecessor had leased when it was killed is free."""
    if store.database.is_sqlite:
        with suppress(StoreUnavailable):  # the leases end by themselves
            await store.claims.release(safe_at)
            await store.leases.release()
