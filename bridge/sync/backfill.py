"""Backfill: tickets that were open before the bridge was there go into the inbox, page by page, and from there the way of every webhook.

Where it stands is written after each page. A page that is done twice changes nothing: its deliveries are there already.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bridge.apis import Message, Page, TicketApi
from bridge.errors import BridgeError, RateLimited, Rejected, TemplateError
from bridge.model import Observation
from bridge.store import Lane, Store
from bridge.sync.follow import Follower
from bridge.sync.intake import Intake
from bridge.sync.look import Look
from bridge.sync.news import as_delivery, is_news, seen_in

Sleep = Callable[[float], Awaitable[None]]

NO_ROUTE = "no route"
LINKED = "linked already"
FAILS = "a template fails"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is: tickets seen, of how many (if the tracker tells), and how many each route took."""

    run: int  # epoch milliseconds of its beginning; it tells one backfill's deliveries from another's
    page: str | None = None
    done: int = 0
    total: int | None = None
    routes: Counter[str] = field(default_factory=Counter)

    @property
    def begun(self) -> bool:
        """Whether an earlier start came this far."""
        return self.done > 0


class Backfill:
    """The backfill of one source."""

    def __init__(
        self,
        follower: Follower,
        api: TicketApi,
        store: Store,
        clock: Callable[[], datetime],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._follower = follower
        self._source = follower.source
        self._name = f"backfill/{follower.source}"
        self._api = api
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._intake = Intake(
            store, Lane(self._source), follower, Look(follower, api, clock), clock, on_due=lambda: None
        )

    async def where(self) -> Progress:
        """Where an earlier start stood, or the beginning."""
        place = await self._store.cursors.get(self._name)
        if place is None:
            return Progress(run=int(self._clock().timestamp() * 1000))
        return Progress(**{**place, "routes": Counter(place["routes"])})

    async def run(self) -> AsyncIterator[Progress]:
        """Every page that is left, linked when it is told. Two at once do each other's work, and no harm."""
        at = await self.where()
        while True:
            page = await self._next(at)
            at = self._after(at, page, await self._take(page.messages, at.run))
            if at.page is None:
                await self._store.cursors.drop(self._name)
            else:
                await self._store.cursors.put(self._name, _place(at), self._clock())
            await self._intake.drain()
            yield at
            if at.page is None:
                return

    async def try_out(self) -> AsyncIterator[Progress]:
        """What `run` would do from the beginning; nothing is changed."""
        at = Progress(run=0)
        while True:
            page = await self._next(at)
            counted, _ = await self._sort(page.messages)
            at = self._after(at, page, counted)
            yield at
            if at.page is None:
                return

    # -- a page --------------------------------------------------------------------------------------------------------------------

    async def _next(self, at: Progress) -> Page:
        """The next page, once the tracker has room for it."""
        while True:
            await self._sleep(self._api.ease().total_seconds())
            try:
                return await self._api.opened(at.page)
            except RateLimited as error:
                await self._sleep(error.retry_after.total_seconds())
            except Rejected as error:
                if at.page is None:
                    raise
                await self._store.cursors.drop(self._name)
                raise BridgeError(f"{error}; its place is too old, so the next start begins anew") from error

    def _after(self, at: Progress, page: Page, counted: Counter[str]) -> Progress:
        return replace(
            at,
            page=page.cursor,
            done=at.done + len(page.messages),
            total=at.total if at.total is not None else page.total,
            routes=at.routes + counted,
        )

    async def _take(self, messages: Sequence[Message], run: int) -> Counter[str]:
        counted, wanted = await self._sort(messages)
        now = self._clock()
        news = [as_delivery(self._source, message, said, f"backfill:{run}", now) for message, said in wanted]
        if news:
            await self._store.inbox.append(news)
        return counted

    async def _sort(self, messages: Sequence[Message]) -> tuple[Counter[str], list[tuple[Message, Observation]]]:
        """Which route takes how many of these tickets, and those that are to be laid into the inbox."""
        now = self._clock()
        observed = [(message, seen_in(self._follower.tracker, message, now)) for message in messages]
        shown = [(message, said) for message, said in observed if said is not None]
        seen = await self._store.watched.seen(self._source, {said.ticket_id for _, said in shown})
        counted: Counter[str] = Counter()
        wanted = []
        for message, said in shown:
            known = seen.get(said.ticket_id)
            linked = known is not None and known.link_id is not None
            counted[LINKED if linked else self._route(said)] += 1
            if not linked or is_news(said, known):
                wanted.append((message, said))
        return counted, wanted

    def _route(self, said: Observation) -> str:
        try:
            route = self._follower.selects(said)
        except TemplateError:
            return FAILS
        return NO_ROUTE if route is None else f"route {route.name}"


def _place(at: Progress) -> dict[str, Any]:
    return {"run": at.run, "page": at.page, "done": at.done, "total": at.total, "routes": dict(at.routes)}
