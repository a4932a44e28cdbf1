"""What a reconciliation asks of the mapping table, in pages: the links that tasks name, and those that are not at rest."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import ColumnElement, Integer, Select, bindparam, select

from bridge.correlation import Identity
from bridge.model import Link, LinkId, TaskId
from bridge.store.database import Connection, Database
from bridge.store.records import link_of
from bridge.store.refs import TicketRef, of_tickets, these
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
        """The links that have these tasks, these keys, or are these tickets' generations; others of these tickets may be among them."""
        wanted = these({(identity.source, identity.ticket_id) for identity in identities})
        async with self._database.reading() as connection:
            held = await _read(connection, _BY_TASK, destination=self._destination, tasks=list(tasks))
            keyed = await _read(connection, _BY_KEY, keys=list(keys))
            known = await _read(connection, _BY_TICKET, **wanted)
        return Named(
            {link.task_id: link for link in held if link.task_id is not None},
            {link.correlation_key: link for link in keyed},
            {Identity(link.source, link.ticket_id, link.generation): link for link in known},
        )

    async def live(self, after: int, limit: int) -> Sequence[Link]:
        """Links that are not at rest for good, in the order of their ids, from behind one."""
        async with self._database.reading() as connection:
            return await _read(connection, _LIVE, destination=self._destination, after=after, limit=limit)

    async def now(self, ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """These links as they are now."""
        async with self._database.reading() as connection:
            return {link.id: link for link in await _read(connection, _BY_ID, ids=list(ids))}

    async def lock(self, connection: Connection, ids: Collection[LinkId]) -> dict[LinkId, Link]:
        """These links, locked for this transaction. One that somebody else has locked is moving, and left out."""
        return {link.id: link for link in await _read(connection, _LOCK, ids=list(ids))}

    async def generations(self, connection: Connection, tickets: Iterable[TicketRef]) -> dict[TicketRef, list[Link]]:
        """Every generation of tickets that this transaction has locked by `Links.known`, the oldest first."""
        wanted = list(tickets)
        found: dict[TicketRef, list[Link]] = {ticket: [] for ticket in wanted}
        for link in await _read(connection, _GENERATIONS, **these(wanted)):
            if (of := found.get((link.source, link.ticket_id))) is not None:
                of.append(link)
        return found


def _one_of(column: Any, name: str) -> ColumnElement[bool]:
    return cast("ColumnElement[bool]", column.in_(bindparam(name, expanding=True)))


_HERE = links.c.destination == bindparam("destination")
_BY_ID = select(links).where(_one_of(links.c.id, "ids"))
_BY_TASK = select(links).where(_HERE, _one_of(links.c.task_id, "tasks"))
_BY_KEY = select(links).where(_one_of(links.c.correlation_key, "keys"))
_BY_TICKET = select(links).where(of_tickets(links))
_LOCK = _BY_ID.with_for_update(skip_locked=True)
_LIVE = (
    select(links)
    .where(
        _HERE, links.c.id > bindparam("after", literal_execute=True), LIVE
    )  # a plan for any page would read the whole table
    .order_by(links.c.id)
    .limit(bindparam("limit", type_=Integer))
)
_GENERATIONS = _BY_TICKET.order_by(links.c.generation)


async def _read(connection: Connection, query: Select[Any], **wanted: Any) -> list[Link]:
    return [link_of(row) for row in await connection.execute(query, wanted)]
