"""Mending: every difference becomes a link that is due, in small transactions; the worker takes the steps.

A link is changed only if nothing has happened in it since it was seen. The link of an orphan is made under the lock that the intake
takes for its ticket, and says `unknown` from the start: whatever happens afterwards, its task is looked for before one is made.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from bridge.correlation import Identity
from bridge.drift import Difference, Drift, is_as_it_was, mend, of_owner
from bridge.errors import Rejected, RemoteError, TemplateError, Unauthorized
from bridge.fold import Snapshot
from bridge.model import Link, Observation, SeenTask, TicketState
from bridge.store import Store
from bridge.store.reconciling import Reconciling
from bridge.store.refs import TicketRef
from bridge.sync.follow import Follower, Found, Known
from bridge.sync.reconciler import Sides, shown_by

BATCH = 50
"""Differences that are mended in one transaction: the intake waits for it on SQLite."""


@dataclass(slots=True)
class Mended:
    """How many links were put back on their way, and what could not be done as it should."""

    count: int = 0
    problems: list[str] = field(default_factory=list)


class Mender:
    """Mends what a `Reconciler` found. Raises `RemoteError` if Orchestrator cannot be asked for an orphan, and `StoreUnavailable`."""

    def __init__(self, store: Store, links: Reconciling, sides: Sides, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._links = links
        self._sides = sides
        self._clock = clock

    async def mend(self, differences: Sequence[Difference]) -> Mended:
        """Mend them, kind by kind: whose task it is comes before how it stands. What has moved meanwhile is left alone."""
        mended = Mended()
        ways = {Drift.ORPHAN: self._adopt, Drift.TICKET: self._follow}
        for kind in Drift:
            of_kind = [one for one in differences if one.kind is kind and one.mendable]
            for start in range(0, len(of_kind), BATCH):
                await ways.get(kind, self._put_back)(of_kind[start : start + BATCH], mended)
        return mended

    # -- links that there are ------------------------------------------------------------------------------------------------------

    async def _put_back(self, few: Sequence[Difference], mended: Mended) -> None:
        now = self._clock()
        of = {one.link.id: one for one in few if one.link is not None}
        async with self._store.database.writing() as connection:
            links = await self._links.lock(connection, of)
            changed = [mend(link, of[link.id], now) for link in links.values() if _holds(link, of[link.id])]
            await self._store.links.save(connection, changed, now)
        mended.count += len(changed)

    async def _follow(self, few: Sequence[Difference], mended: Mended) -> None:
        now = self._clock()
        of = {(one.link.source, one.link.ticket_id): one for one in few if one.link is not None}
        async with self._store.database.writing() as connection:
            known = {ref: Known(*found) for ref, found in (await self._store.links.known(connection, of, now)).items()}
            after = {ref: found for ref in of if (found := self._followed(known[ref], of[ref], mended, now))}
            await self._store.links.keep(connection, {ref: found.snapshot for ref, found in after.items()}, now)
            changed = [found.link for found in after.values() if found.link is not None]
            await self._store.links.save(connection, changed, now)
        mended.count += len(changed)

    def _followed(self, known: Known, difference: Difference, mended: Mended, now: datetime) -> Known | None:
        link, shown = difference.link, difference.shown
        if link is None or shown is None or known.link is None or known.link.id != link.id:
            return None
        try:
            return self._sides.following[link.source].follow(known, shown, now)
        except TemplateError as error:
            mended.problems.append(f"{link.ticket_key} cannot be followed: {error}")
            return None

    # -- orphans -------------------------------------------------------------------------------------------------------------------

    async def _adopt(self, few: Sequence[Difference], mended: Mended) -> None:
        """Make or correct the links of some tickets. What is to be asked is asked before the transaction, which is everybody's."""
        now = self._clock()
        by_ticket: dict[TicketRef, list[Difference]] = {}
        for one in sorted(few, key=_generation):
            by_ticket.setdefault(_ticket(one), []).append(one)
        shown = await self._shown(by_ticket, mended, now)
        found = await self._found([one for one in few if one.link is None and _ticket(one) not in shown], now)
        async with self._store.database.writing() as connection:
            known = await self._store.links.known(connection, by_ticket, now)
            there = await self._links.generations(connection, by_ticket)
            snapshots = {ref: self._learnt(ref, known[ref][0], shown.get(ref)) for ref in by_ticket}
            changed = [
                link
                for ref, of_ticket in by_ticket.items()
                for link in adopted(
                    self._sides.following.get(ref[0]), there[ref], of_ticket, found, snapshots[ref], now
                )
            ]
            news = {ref: snapshot for ref, snapshot in snapshots.items() if snapshot is not known[ref][0]}
            await self._store.links.keep(connection, news, now)
            await self._store.links.save(connection, changed, now)
        mended.count += len(changed)

    async def _shown(self, refs: Iterable[TicketRef], mended: Mended, now: datetime) -> Mapping[TicketRef, Observation]:
        """The tickets as their trackers show them, of the sources that have an API. Their tasks are adopted without it, too."""
        shown: dict[TicketRef, Observation] = {}
        for source, api in self._sides.apis.items():
            ids = [ticket_id for of, ticket_id in refs if of == source]
            if not ids:
                continue
            try:
                told = await shown_by(api, self._sides.following[source], ids, now)
            except RemoteError as error:
                mended.problems.append(
                    f"{source} cannot be asked for its tickets, so their next webhooks decide: {error}"
                )
                continue
            shown |= {(source, ticket_id): observation for ticket_id, observation in told.items()}
        return shown

    async def _found(self, orphans: Sequence[Difference], now: datetime) -> Mapping[Identity, Found]:
        """What the orphans' tasks tell of the tickets that nobody else tells of."""
        told = await asyncio.gather(*(self._told(one.seen) for one in orphans if one.seen is not None))
        return {
            one.identity: _of_task(one.identity, one.seen, data, now)
            for one, data in zip(orphans, told, strict=True)
            if one.identity is not None and one.seen is not None
        }

    async def _told(self, seen: SeenTask) -> Mapping[str, object]:
        try:
            examined = await self._sides.orchestrator.examine(seen.task.id, seen.request.folder)
        except (Rejected, Unauthorized) as error:
            if isinstance(error, Unauthorized) and error.status != 403:
                raise
            return {}
        data = examined.request.body.get("data")
        return data if isinstance(data, dict) else {}

    def _learnt(self, ref: TicketRef, snapshot: Snapshot, shown: Observation | None) -> Snapshot:
        return snapshot if shown is None else self._sides.following[ref[0]].learn(Known(snapshot), shown).snapshot


def adopted(
    follower: Follower | None,
    there: Sequence[Link],
    orphans: Sequence[Difference],
    found: Mapping[Identity, Found],
    snapshot: Snapshot,
    now: datetime,
) -> Sequence[Link]:
    """The links of one ticket that are to be written so that its orphaned tasks have theirs; the newest generation governs.

    Nothing is written while an older generation's step is under way: the next run does it.
    """
    links = {link.generation: link for link in there}
    for orphan in orphans:
        link = links.get(_generation(orphan))
        if link is not None:
            links[link.generation] = _corrected(follower, link, orphan, snapshot, now)
        elif follower is not None and orphan.identity is not None and orphan.seen is not None:
            of_task = found.get(orphan.identity) or _of_task(orphan.identity, orphan.seen, {}, now)
            links[orphan.identity.generation] = follower.adopt(of_task, snapshot, now)
    for generation, link in sorted(links.items())[:-1]:
        if follower is not None and link.ticket_state is not TicketState.CLOSED:
            if link.leased_until is not None:
                return []
            links[generation] = follower.ended(link, snapshot, now)
    before = {link.generation: link for link in there}
    return [link for generation, link in links.items() if link is not before.get(generation)]


def _corrected(follower: Follower | None, link: Link, orphan: Difference, snapshot: Snapshot, now: datetime) -> Link:
    """A link that there is, to find the task that was seen; as it is, if something has happened in it meanwhile."""
    still = orphan if orphan.link is not None else orphan.seen and of_owner(link, orphan.seen)
    if not still or not _holds(link, still):
        return link
    link = mend(link, still, now)
    return link if follower is None else follower.rendered_if_it_can_be(link, snapshot)


def _holds(link: Link, difference: Difference) -> bool:
    return difference.link is not None and is_as_it_was(link, difference.link)


def _of_task(identity: Identity, seen: SeenTask, data: Mapping[str, object], now: datetime) -> Found:
    key = data.get("key")
    request = replace(seen.request, body={**seen.request.body, **({"data": data} if data else {})})
    return Found(identity, request, seen.created_at or now, key if isinstance(key, str) and key else None)


def _ticket(difference: Difference) -> TicketRef:
    of = difference.link or difference.identity
    assert of is not None  # noqa: S101 - else it is not mendable
    return of.source, of.ticket_id


def _generation(difference: Difference) -> int:
    of = difference.link or difference.identity
    assert of is not None  # noqa: S101 - else it is not mendable
    return of.generation
