"""What is old enough to go: looked for without a lock and by index, a slice at a time, and removed by its keys.

Nobody waits for the search, whatever there is to look at: on SQLite whoever writes keeps all others from it.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Integer, bindparam, delete, exists, select, tuple_

from bridge.model import DeliveryId, DeliveryState
from bridge.store.database import Database
from bridge.store.refs import TicketRef, of_tickets, these
from bridge.store.tables import deliveries, links, tickets
from bridge.store.types import Moment


class AgedDelivery(Struct, frozen=True):
    """A delivery that is handled."""

    id: DeliveryId
    received_at: datetime


class AgedTicket(Struct, frozen=True):
    """A ticket, when it was last heard of, and whether a link was made for it."""

    updated_at: datetime
    ref: TicketRef
    linked: bool


class Aged:
    """Deliveries and tickets by their age, the oldest first."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def deliveries(self, since: datetime, before: datetime, limit: int) -> list[AgedDelivery]:
        """Handled ones that came in this time. What waits for a person is not among them."""
        wanted = {"since": since, "before": before, "limit": limit}
        async with self._database.reading() as connection:
            found = await connection.execute(_HANDLED, wanted)
            return [AgedDelivery(DeliveryId(row.id), row.received_at) for row in found]

    async def remove_deliveries(self, ids: Sequence[DeliveryId]) -> int:
        """Remove those that are still handled: somebody may have just handed one to the intake again. How many they were."""
        async with self._database.writing() as connection:
            of = delete(deliveries).where(deliveries.c.id.in_(ids), deliveries.c.state.in_(_DONE))
            return (await connection.execute(of)).rowcount

    async def tickets(self, since: datetime, after: TicketRef, before: datetime, limit: int) -> list[AgedTicket]:
        """Those that come after this one of the time `since`, linked or not, as far as they were last heard of `before`."""
        wanted = {"since": since, "source": after[0], "ticket_id": after[1], "before": before, "limit": limit}
        async with self._database.reading() as connection:
            found = await connection.execute(_LAST_HEARD_OF, wanted)
            return [AgedTicket(row.updated_at, (row.source, row.ticket_id), bool(row.linked)) for row in found]

    async def remove_tickets(self, refs: Sequence[TicketRef], before: datetime) -> int:
        """Remove those that have no link and have not been heard of since. How many they were."""
        async with self._database.writing() as connection:
            # the time again: PostgreSQL looks at it once more if the ticket has just been heard of
            of = delete(tickets).where(of_tickets(tickets), tickets.c.updated_at < before, ~_IS_LINKED)
            return (await connection.execute(of, these(refs))).rowcount


_DONE = (DeliveryState.APPLIED, DeliveryState.IGNORED)
_SINCE, _BEFORE = bindparam("since", type_=Moment), bindparam("before", type_=Moment)
_LIMIT = bindparam("limit", type_=Integer)
_HANDLED = (
    select(deliveries.c.id, deliveries.c.received_at)
    .where(
        deliveries.c.received_at >= _SINCE,
        deliveries.c.received_at < _BEFORE,
        deliveries.c.state.in_(_DONE),
    )
    .order_by(deliveries.c.received_at)
    .limit(_LIMIT)
)
_IS_LINKED = exists().where(links.c.source == tickets.c.source, links.c.ticket_id == tickets.c.ticket_id)
_AT = (tickets.c.updated_at, tickets.c.source, tickets.c.ticket_id)
_LAST_HEARD_OF = (
    select(*_AT, _IS_LINKED.label("linked"))
    .where(
        tickets.c.updated_at >= _SINCE,
        tickets.c.updated_at < _BEFORE,
        tuple_(*_AT) > tuple_(_SINCE, bindparam("source"), bindparam("ticket_id")),
    )
    .order_by(*_AT)
    .limit(_LIMIT)
)
