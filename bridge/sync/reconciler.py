"""Reconciliation: what the links say beside what Orchestrator and the trackers show. It reads; `bridge.sync.mending` writes.

Lists are hints, for they are read while everything goes on: a difference is told only after a look at the one task, of a link in which
nothing has happened meanwhile. Memory grows with the tasks that are open, by one number for each, and with the differences.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bridge.apis import TicketApi
from bridge.correlation import Identity, identity_of, is_digested
from bridge.drift import (
    Difference,
    Drift,
    is_as_it_was,
    is_moving,
    may_hide_a_close,
    of_holder,
    of_link,
    of_owner,
    of_ticket,
)
from bridge.errors import Rejected, RemoteError, Unauthorized
from bridge.model import Folder, Link, Observation, SeenTask, TaskId, TaskState
from bridge.store.reconciling import Named, Reconciling
from bridge.sync.follow import Follower
from bridge.sync.look import PATIENCE
from bridge.sync.news import seen_in

PAGE = 500
"""Tasks, or links, that are compared at once."""

TICKETS = 100
"""Tickets that a tracker is asked for at once."""

AT_ONCE = 4
"""Most looks at single tasks under way: the worker's own calls come first."""


class TaskLists(Protocol):
    """What a reconciliation asks of an Orchestrator."""

    def tasks_of_tag(self, external_tag: str, *, completed: bool) -> AsyncIterator[SeenTask]:
        """The tasks of a tag; with `completed`, also those that have come to their end."""

    async def examine(self, task_id: TaskId, folder: Folder | None) -> SeenTask:
        """The task as it is now."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The sides that are compared, beside the links: one Orchestrator, by the tags of the sources, and the trackers that can be asked."""

    orchestrator: TaskLists
    following: Mapping[str, Follower]
    apis: Mapping[str, TicketApi]
    tags: Collection[str]


@dataclass(slots=True)
class Findings:
    """What a reconciliation found, and who could not be asked about what."""

    differences: list[Difference] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)

    def counts(self) -> dict[Drift, int]:
        """How many there are of every kind."""
        kinds = [difference.kind for difference in self.differences]
        return {kind: kinds.count(kind) for kind in Drift}


class Reconciler:
    """Compares. Raises `RemoteError` if Orchestrator cannot be asked, and `StoreUnavailable`; a tracker that cannot is told of."""

    def __init__(self, links: Reconciling, deployment: str, sides: Sides, clock: Callable[[], datetime]) -> None:
        self._links = links
        self._deployment = deployment
        self._sides = sides
        self._clock = clock
        self._looks = asyncio.Semaphore(AT_ONCE)

    async def find(self, *, thorough: bool) -> Findings:
        """Every difference, in the order in which they are mended.

        A thorough run also looks for tasks that have ended, which takes as long as Orchestrator's history is and rebuilds a table that
        was lost, and asks the trackers for the tickets of open tasks, which is otherwise the business of polling.
        """
        run = _Run(self._clock(), thorough)
        for tag in sorted(self._sides.tags):
            async for page in _pages(self._sides.orchestrator.tasks_of_tag(tag, completed=thorough)):
                await self._compare_tasks(run, page)
        after = 0
        while links := await self._links.live(after, PAGE):
            await self._compare_links(run, links)
            after = links[-1].id
        order = list(Drift)
        differences = sorted(run.found.values(), key=lambda one: order.index(one.kind))
        return Findings(differences, list(run.unasked))

    # -- tasks ---------------------------------------------------------------------------------------------------------------------

    async def _compare_tasks(self, run: "_Run", page: Sequence[SeenTask]) -> None:
        there = [seen for seen in page if seen.task.state is not TaskState.GONE]
        run.open.update(seen.task.id for seen in there if seen.task.state is TaskState.OPEN)
        keys = {seen.correlation_key for seen in there if seen.correlation_key is not None}
        identities = {key: identity for key in keys if (identity := self._identity(key))}
        named = await self._links.named([seen.task.id for seen in there], keys, identities.values())
        found = [
            difference
            for seen in there
            for difference in await self._of_task(run, seen, named, identities)
            if difference
        ]
        await self._keep(run, found)

    async def _of_task(
        self, run: "_Run", seen: SeenTask, named: Named, identities: Mapping[str, Identity]
    ) -> Sequence[Difference | None]:
        holder = named.by_task.get(seen.task.id)
        held = None if holder is None else await self._of_holder(run, holder, seen)
        key = seen.correlation_key
        if key is None or (holder is not None and holder.correlation_key == key):
            return [held]
        identity = identities.get(key)
        owner = named.by_key.get(key) or (named.by_identity.get(identity) if identity else None)
        if owner is None:
            ours = identity is not None or is_digested(key, self._deployment, self._sides.following)
            return [held, Difference(Drift.ORPHAN, seen=seen, identity=identity) if ours else None]
        own = None
        if owner.task_id is not None and not is_moving(owner):
            own = await self._examine(run, owner, owner.task_id)
        return [held, of_owner(owner, seen, own)]

    async def _of_holder(self, run: "_Run", holder: Link, seen: SeenTask) -> Difference | None:
        """A link that knows of the end of a task may have learnt of it after the list was made."""
        difference = of_holder(holder, seen)
        if difference is None or difference.kind is not Drift.OPEN:
            return difference
        now = await self._examine(run, holder, seen.task.id)
        return None if now is None else of_holder(holder, now)

    def _identity(self, key: str) -> Identity | None:
        return identity_of(key, self._deployment, self._sides.following)

    async def _examine(self, run: "_Run", link: Link, task_id: TaskId) -> SeenTask | None:
        """The task as it is now; None if this one cannot be looked at, which hinders no other."""
        async with self._looks:
            try:
                return await self._sides.orchestrator.examine(task_id, link.request.folder if link.request else None)
            except (Rejected, Unauthorized) as error:
                if isinstance(error, Unauthorized) and error.status != 403:
                    raise
                run.unasked.append(f"task {task_id} of link {link.id} ({link.ticket_key}) cannot be looked at: {error}")
                return None

    # -- links ---------------------------------------------------------------------------------------------------------------------

    async def _compare_links(self, run: "_Run", page: Sequence[Link]) -> None:
        hidden = [link for link in page if _is_hidden(link, run.open)]
        seen = await asyncio.gather(*(self._examine(run, link, link.task_id) for link in hidden if link.task_id))
        found = {
            link.id: difference
            for link, task in zip(hidden, seen, strict=True)
            if task is not None and (difference := of_holder(link, task))
        }
        found |= {link.id: stale for link in page if link.id not in found and (stale := of_link(link))}
        asked = [link for link in page if run.thorough and may_hide_a_close(link)]
        await self._keep(run, [*found.values(), *await self._compare_tickets(run, asked)])

    async def _compare_tickets(self, run: "_Run", links: Sequence[Link]) -> Sequence[Difference]:
        found: list[Difference] = []
        for source, api in self._sides.apis.items():
            of_source = [link for link in links if link.source == source]
            for few in _chunks(of_source, TICKETS):
                if source in run.away:
                    break
                try:
                    shown = await shown_by(
                        api, self._sides.following[source], [link.ticket_id for link in few], run.now
                    )
                except RemoteError as error:
                    run.away.add(source)
                    run.unasked.append(f"the tickets of {source} are not compared, because it cannot be asked: {error}")
                    continue
                differences = (of_ticket(link, shown[link.ticket_id]) for link in few if link.ticket_id in shown)
                found += [difference for difference in differences if difference]
        return found

    async def _keep(self, run: "_Run", found: Sequence[Difference]) -> None:
        """Keep what still holds of links in which nothing has happened since they were read."""
        now = await self._links.now([difference.link.id for difference in found if difference.link])
        for difference in found:
            before = difference.link
            if before is None or (before.id in now and is_as_it_was(now[before.id], before)):
                run.found.setdefault(difference.about, difference)


@dataclass(slots=True)
class _Run:
    """What one run has seen so far."""

    now: datetime
    thorough: bool
    open: set[TaskId] = field(default_factory=set)
    found: dict[tuple[Drift, str, int], Difference] = field(default_factory=dict)
    away: set[str] = field(default_factory=set)
    unasked: list[str] = field(default_factory=list)


def _is_hidden(link: Link, listed: Collection[TaskId]) -> bool:
    """Whether a link's task should have been listed as open, and was not."""
    has_open_task = link.task_state is TaskState.OPEN and link.task_id is not None
    return has_open_task and link.task_id not in listed and not is_moving(link)


async def shown_by(
    api: TicketApi, follower: Follower, ticket_ids: Sequence[str], now: datetime
) -> Mapping[str, Observation]:
    """The tickets as their tracker shows them. One that it does not show is left out."""
    tickets = await api.look(ticket_ids, PATIENCE)
    observed = {ticket_id: seen_in(follower.tracker, ticket, now) for ticket_id, ticket in tickets.items()}
    return {ticket_id: found for ticket_id, found in observed.items() if found is not None}


async def _pages(tasks: AsyncIterator[SeenTask]) -> AsyncIterator[Sequence[SeenTask]]:
    page: list[SeenTask] = []
    async for task in tasks:
        page.append(task)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def _chunks(links: Sequence[Link], size: int) -> Iterable[Sequence[Link]]:
    return (links[start : start + size] for start in range(0, len(links), size))
