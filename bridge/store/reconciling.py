"""What a reconciliation asks of the mapping table, in pages: the links that tasks name, and those that are not at rest."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bridge.correlation import Identity
from bridge.model import Link, LinkId, TaskId
from bridge.store.database import Database
from bridge.store.records import link_of
from bridge.store.tables import LIVE, links


@dataclass(frozen=True, slots=True)
class Named:
    """The links that a page of tasks names."""

    by_task: dict[TaskId, Link] = field(default_factory=dict)
    by_key: dict[str, Link] = field(default_factory=dict)
    by_identity: dict[Identity, Link] = field(default_factory=dict)


class Reconciling:
    """The links of one destination, as a reconciliation reads them."""

    def __init__(self, database: Database, destination: str) -> None:
        self._database = database
        self._destination = destination

    async def named(self, tasks: Collection[TaskId], keys: Collection[str], identities: Collection[Identity]) -> Named:
        """The links that have these tasks, these keys, or are these tickets' generations."""
        here = links.c.destination == self._destination
        of = tuple_(links.c.source, links.c.ticket_id, links.c.generation)
        wanted = [(identity.source, identity.ticket_id, identity.generation) for identity in identities]
        async with self._database.reading() as connection:
            held = await self._read(connection, and_(here, links.c.task_id.in_(list(tasks))))
            keyed = await self._read(connection, links.c.correlation_key.in_(list(keys)))
            known = await self._read(connection, of.in_(wanted))
        return Named(
            {link.task_id: link for link in held if link.task_id is not None},
            {link.correlation_key: link for link in keyed},
            {Identity(link.source, link.ticket_id, link.generation): link for link in known},
        )

    async def live(self, after: int, limit: int) -> Sequence[Link]:
        """Links that are not at rest for good, in the order of their ids, from behind one."""
        here = and_(links.c.destination == self._destination, links.c.id > after, LIVE)
        async with self._database.reading() as connection:
            return await self._read(connection, here, limit)

    async def now(self, ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """These links as they are now."""
        async with self._database.reading() as connection:
            return {link.id: link for link in await self._read(connection, links.c.id.in_(list(ids)))}

    async def lock(self, connection: AsyncConnection, ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """These links, locked for this transaction. One that somebody else has locked is moving, and left out."""
        query = select(links).where(links.c.id.in_(list(ids))).with_for_update(skip_locked=True)
        return {link.id: link for link in map(link_of, await connection.execute(query))}

    async def generations(
        self, connection: AsyncConnection, tickets: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], list[Link]]:
        """Every generation of tickets that this transaction has locked by `Links.known`, the oldest first."""
        wanted = list(tickets)
        of = tuple_(links.c.source, links.c.ticket_id).in_(wanted)
        found: dict[tuple[str, str], list[Link]] = {ticket: [] for ticket in wanted}
        for row in await connection.execute(select(links).where(of).order_by(links.c.generation)):
            found[row.source, row.ticket_id].append(link_of(row))
        return found

    async def _read(
        self, connection: AsyncConnection, where: ColumnElement[bool], limit: int | None = None
    ) -> list[Link]:
        query = select(links).where(where).order_by(links.c.id).limit(limit)
        return [link_of(row) for row in await connection.execute(query)]
