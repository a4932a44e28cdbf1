"""The poller: asks one source's tracker for what its webhooks did not tell, and lays what is news into the inbox.

A cycle asks first for what has changed since the last one, then for every open ticket by its id: a search may be late, may not find
what was moved or deleted, and does not know which tickets the bridge waits for. Its cost grows with what is open and what changes.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bridge.apis import Message, TicketApi
from bridge.errors import NotFound, RateLimited, Rejected, RemoteError, Unauthorized
from bridge.model import Version
from bridge.store import Pause, Seen, Store
from bridge.sync.news import as_delivery, is_news, seen_in
from bridge.sync.waker import Waker
from bridge.trackers import Tracker

OVERLAP = timedelta(minutes=15)
"""How far a search looks back beyond the last one: for clocks that differ, and an index that is late."""

SPREAD = 0.8
"""Over how much of the interval the requests for open tickets are spread."""

LONGEST_REST = timedelta(minutes=1)
"""A longer one ends the cycle; the next goes on where it stood."""

MOST_HIDDEN = 20
"""How many hidden tickets of a project a cycle asks for by themselves: then it is clear that it is not about one of them."""

_LEASE = timedelta(minutes=2)
_NOT_FOUND = 404

_log = structlog.get_logger()

Sleep = Callable[[float], Awaitable[None]]


def poll_of(source: str) -> str:
    """The name of a source's poll: of its lease, its pause and, with what it does, its cursors."""
    return f"poll/{source}"


@dataclass(frozen=True, slots=True)
class PollStatus:
    """When a source was last polled to the end, and what has been in the way since."""

    last: datetime | None
    pause: Pause | None


async def poll_status(store: Store, source: str) -> PollStatus:
    """How the poll of a source stands."""
    last = await store.cursors.get(poll_of(source))
    return PollStatus(None if last is None else _moment(last["began"]), await store.pauses.get(poll_of(source)))


class _LeaseLost(Exception):
    """Another replica polls the source now."""


@dataclass(frozen=True, slots=True)
class Polled:
    """One source to poll, and how often."""

    source: str
    tracker: Tracker
    api: TicketApi
    every: timedelta


class Poller:
    """Polls one source whenever it is woken; no two polls of it overlap, in this process or another."""

    def __init__(
        self, polled: Polled, store: Store, clock: Callable[[], datetime], sleep: Sleep = asyncio.sleep
    ) -> None:
        self.every = polled.every
        self.source = polled.source
        self._tracker = polled.tracker
        self._api = polled.api
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._name = poll_of(polled.source)
        self._lease = _LEASE
        self._hidden: dict[str, Unauthorized] = {}
        self._hidden_with: Counter[str] = Counter()
        self._waker = Waker(f"the poller of {polled.source}", self.poll)
        self.wake = self._waker.wake
        self.run = self._waker.run
        self.stop = self._waker.stop

    async def due(self) -> None:
        """It is time for the next cycle."""
        self.wake()

    async def poll(self) -> None:
        """One cycle, unless the source has to wait, or another replica has just done it."""
        now = self._clock()
        pause = await self._store.pauses.get(self._name)
        if (pause is not None and pause.until > now) or await self._is_recent(now):
            return
        try:
            await self._hold()
        except _LeaseLost:
            return
        try:
            self._hidden.clear()
            self._hidden_with.clear()
            refused = await self._changes(now)
            await self._open_tickets()
            if refused:
                raise refused
            await self._store.cursors.put(self._name, {"began": _milliseconds(now)}, now)
            for error in self._hidden.values():
                raise error
            await self._went_well(pause)
        except RemoteError as error:
            await self._failed(error, pause)
        except _LeaseLost:
            _log.warning("another replica polls the source now", source=self.source)
        finally:
            await self._store.leases.give_back(self._name, self._clock())

    async def _is_recent(self, now: datetime) -> bool:
        last = await self._store.cursors.get(self._name)
        return (
            last is not None and timedelta() <= now - _moment(last["began"]) < self.every / 2
        )  # the clock may have been set back

    # -- what has changed ----------------------------------------------------------------------------------------------------------

    async def _changes(self, now: datetime) -> Rejected | None:
        """Every page of what changed since the last search began, or since this service's first one.

        A search that is refused (its `jql` names a project that is gone) is told, and does not hinder the reading by id.
        """
        name = f"{self._name}/changes"
        began: dict[str, Any] = {"since": _milliseconds(now)}
        known = await self._store.cursors.get(name)
        if known is None:
            await self._store.cursors.put(name, began, now)
        place = {"began": _milliseconds(now), "page": None, **(known or began)}
        place["since"] = min(place["since"], _milliseconds(now))  # the clock may have been set back
        while True:
            await self._room()
            try:
                page = await self._api.changed(_moment(place["since"]) - OVERLAP, place["page"])
            except Rejected as error:
                await self._store.cursors.put(name, {"since": place["since"]}, self._clock())  # its page may be too old
                return error
            await self._take(page.messages)
            if page.cursor is None:
                break
            place["page"] = page.cursor
            await self._store.cursors.put(name, place, self._clock())
        await self._store.cursors.put(name, {"since": min(place["began"], _milliseconds(now))}, self._clock())
        return None

    # -- what is open --------------------------------------------------------------------------------------------------------------

    async def _open_tickets(self) -> None:
        """Every open ticket by its id, in chunks that are spread over the interval."""
        name = f"{self._name}/open"
        after: int = (await self._store.cursors.get(name) or {}).get("after", 0)
        chunks = -(-await self._store.watched.count_open(self.source) // self._api.at_once)
        pace = self.every * SPREAD / max(chunks, 1)
        self._lease = _LEASE + pace
        while chunk := await self._store.watched.open(self.source, after, self._api.at_once):
            began = self._clock()
            await self._look_after(chunk)
            after = chunk[-1].link_id or 0
            if len(chunk) < self._api.at_once:
                break
            await self._store.cursors.put(name, {"after": after}, self._clock())
            await self._sleep(max(pace - (self._clock() - began), timedelta()).total_seconds())
        await self._store.cursors.drop(name)

    async def _look_after(self, chunk: Sequence[Seen]) -> None:
        await self._room()
        shown = await self._shown([seen.ticket_id for seen in chunk])
        absent = [seen for seen in chunk if seen.ticket_id not in shown]
        confirmed = [await self._confirm(seen) for seen in absent]
        await self._take([*shown.values(), *(message for message in confirmed if message is not None)])

    async def _shown(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        """The tickets in one request; none of them where one makes the tracker refuse it, so that each is asked for by itself."""
        try:
            return await self._api.read(ticket_ids)
        except NotFound:  # of an address, not of a ticket
            raise
        except Rejected as error:
            _log.warning("tickets are read one by one", source=self.source, error=str(error))
            return {}

    async def _confirm(self, seen: Seen) -> Message | None:
        """What became of a ticket that an answer lacks: absent is not closed. None if it is hidden, and says nothing at all."""
        key = seen.key or ""
        project = key.rpartition("-")[0]  # issues of one project are hidden together; a record's key is its number
        if self._hidden_with[project] == MOST_HIDDEN:
            return None
        await self._room()
        try:
            found = await self._api.confirm(seen.ticket_id, key)
        except Unauthorized as error:
            if error.status != _NOT_FOUND:
                raise
            self._hidden[seen.ticket_id] = error
            self._hidden_with[project] += 1
            return None
        if found is not None:
            return found
        _log.info("a ticket is gone from its tracker", source=self.source, ticket=key, ticket_id=seen.ticket_id)
        at = max(_milliseconds(self._clock()), Version.updated_of(seen.version) + 1)
        return self._api.gone(seen.ticket_id, key, at)

    # -- news ----------------------------------------------------------------------------------------------------------------------

    async def _take(self, messages: Sequence[Message]) -> None:
        """Lay into the inbox what is news."""
        now = self._clock()
        observed = [(message, seen_in(self._tracker, message, now)) for message in messages]
        shown = [(message, said) for message, said in observed if said is not None]
        seen = await self._store.watched.seen(self.source, {said.ticket_id for _, said in shown})
        news = [
            as_delivery(self.source, message, said, "poll", now, seen.get(said.ticket_id))
            for message, said in shown
            if is_news(said, seen.get(said.ticket_id))
        ]
        stored = [number for number in await self._store.inbox.append(news) if number] if news else []
        if stored:
            _log.info("the poll found what no webhook had told", source=self.source, tickets=len(stored))

    # -- manners -------------------------------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        """Keep the lease for as long as the next request and its pause may take."""
        if await self._store.leases.take(self._name, self._clock(), self._lease) is None:
            raise _LeaseLost

    async def _room(self) -> None:
        """Wait until the tracker has room for a request that nobody waits for, and be sure that the poll is still ours."""
        if (rest := self._api.ease()) > LONGEST_REST:
            raise RateLimited("most of the limit is used, and the rest is for others", retry_after=rest, status=429)
        if rest:
            await self._sleep(rest.total_seconds())
        await self._hold()

    async def _went_well(self, pause: Pause | None) -> None:
        if pause is not None:
            await self._store.pauses.clear(self._name, pause)
            _log.info("the source can be polled again", source=self.source)

    async def _failed(self, error: RemoteError, before: Pause | None) -> None:
        """Say so, and leave it to a later cycle: the pause lies in the database, for all replicas and for people."""
        now = self._clock()
        wait = error.retry_after if isinstance(error, RateLimited) else timedelta()
        failures = before.failures + 1 if before else 1
        await self._store.pauses.pause(self._name, Pause(now + wait, failures, str(error)), now)
        log = _log.error if isinstance(error, Unauthorized | Rejected) and failures == 1 else _log.warning
        log("the source cannot be polled; its webhooks go on", **_told(self.source, error, failures))


def _told(source: str, error: RemoteError, failures: int) -> dict[str, Any]:
    told: dict[str, Any] = {"source": source, "error": str(error), "failures": failures}
    if isinstance(error, Unauthorized):
        told["remedy"] = "give the account of the source's `api` its permissions back; nothing is taken for deleted"
    elif isinstance(error, Rejected):
        told["remedy"] = "`bridge check --online` tries what is asked"
    elif isinstance(error, RateLimited):
        told["again_in_s"] = error.retry_after.total_seconds()
    return told


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
