"""What a poll asks of the store: which tickets are open, and what is known of those that the tracker shows."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Integer, and_, bindparam, func, select

from bridge.model import LinkId, TicketState
from bridge.store.database import Database
from bridge.store.tables import links, tickets


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a ticket. Without a link only the version is."""

    ticket_id: str
    version: str
    link_id: LinkId | None = None
    key: str | None = None
    state: TicketState | None = None


class Watched:
    """The tickets of the store, as the poller sees them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, source: str, after: int, limit: int) -> list[Seen]:
        """The next tickets that are open and have a link, in the order of their links."""
        wanted = {"source": source, "after": after, "limit": limit}
        async with self._database.reading() as connection:
            return [
                Seen(row.ticket_id, row.version, LinkId(row.id), row.ticket_key, TicketState.OPEN)
                for row in await connection.execute(_NEXT_OPEN, wanted)
            ]

    async def count_open(self, source: str) -> int:
        """How many tickets are open and have a link."""
        async with self._database.reading() as connection:
            return int((await connection.execute(_COUNT_OPEN, {"source": source})).scalar_one())

    async def seen(self, source: str, ticket_ids: Collection[str]) -> Mapping[str, Seen]:
        """What is known of these tickets; one that was never heard of is left out."""
        wanted = {"source": source, "ticket_ids": list(ticket_ids)}
        async with self._database.reading() as connection:
            found = {
                row.ticket_id: Seen(row.ticket_id, row.version) for row in await connection.execute(_HEARD, wanted)
            }
            for row in await connection.execute(_LINKED, wanted):
                state = TicketState(row.ticket_state)
                found[row.ticket_id] = Seen(row.ticket_id, row.version, LinkId(row.id), row.ticket_key, state)
        return found


_SOURCE: BindParameter[Any] = bindparam("source")
_IDS: BindParameter[Any] = bindparam("ticket_ids", expanding=True)
_HEARD = select(tickets.c.ticket_id, tickets.c.version).where(
    tickets.c.source == _SOURCE, tickets.c.ticket_id.in_(_IDS)
)
_LINKED = (
    select(links.c.id, links.c.ticket_id, links.c.version, links.c.ticket_key, links.c.ticket_state)
    .where(links.c.source == _SOURCE, links.c.ticket_id.in_(_IDS))
    .order_by(links.c.generation)
)
# literals let the engines see that the partial index applies, and where a page begins: a plan for any page would read the whole table
_IS_OPEN: BindParameter[Any] = bindparam("open", TicketState.OPEN.value, literal_execute=True)
_OPEN = and_(links.c.source == _SOURCE, links.c.ticket_state == _IS_OPEN)
_COUNT_OPEN = select(func.count()).select_from(links).where(_OPEN)
_NEXT_OPEN = (
    select(links.c.id, links.c.ticket_id, links.c.version, links.c.ticket_key)
    .where(_OPEN, links.c.id > bindparam("after", literal_execute=True))
    .order_by(links.c.id)
    .limit(bindparam("limit", type_=Integer))
)
