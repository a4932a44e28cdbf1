"""The mapping table: links with the newest facts of their tickets.

Whoever locks both locks tickets first, then links, each in one order: nobody waits for somebody who waits for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
)

from bridge.errors import Rejected
from bridge.fold import Snapshot
from bridge.model import Attempt, Link, LinkState, TaskState
from bridge.outcome import due
from bridge.store.database import Connection, Database, many
from bridge.store.records import CHANGING, WORK, changing_of, link_of, row_of, snapshot_of, work_of
from bridge.store.refs import TicketRef, of_tickets, these
from bridge.store.signals import Signals
from bridge.store.statements import Updates
from bridge.store.tables import attempts, links, tickets


@dataclass(frozen=True, slots=True)
class LinkFilter:
    """Which links to list; None does not restrict."""

    source: str | None = None
    state: LinkState | None = None
    key: str | None = None
    ticket_id: str | None = None
    before: int | None = None  # ids below this: the cursor
    limit: int = 50


Render = Callable[[Link, Snapshot], Link]
"""The link with its requests as the configuration says now. Raises a `BridgeError` that says why it cannot."""


class Links:
    """The links. `on_due` is called when a link became due."""

    def __init__(self, database: Database, signals: Signals, on_due: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._signals = signals
        self._on_due = on_due
        insert_ticket = database.insert(tickets)
        self._be_there = insert_ticket.on_conflict_do_nothing()
        self._keep = insert_ticket.on_conflict_do_update(
            index_elements=["source", "ticket_id"],
            set_={name: insert_ticket.excluded[name] for name in ("version", "closed_version", "layers", "updated_at")},
        )

    # -- intake --------------------------------------------------------------------------------------------------------------------

    async def known(
        self, connection: Connection, refs: Iterable[TicketRef], now: datetime
    ) -> dict[TicketRef, tuple[Snapshot, Link | None]]:
        """The snapshots and newest links of tickets, locked for this transaction."""
        wanted = sorted(refs)
        if (
            not self._database.is_sqlite
        ):  # a row that is not there cannot be locked, and two replicas would both make it
            empty = {"version": "", "closed_version": "", "layers": {}, "updated_at": now}
            rows_to_lock = ({"source": source, "ticket_id": ticket_id, **empty} for source, ticket_id in wanted)
            await many(connection, self._be_there, rows_to_lock)
        snapshots = await connection.execute(_SNAPSHOTS, these(wanted))
        found = {(row.source, row.ticket_id): snapshot_of(row) for row in snapshots}
        rows = map(link_of, await connection.execute(_GENERATIONS, these(wanted)))
        newest = {(link.source, link.ticket_id): link for link in sorted(rows, key=lambda link: link.generation)}
        return {ref: (found.get(ref, Snapshot()), newest.get(ref)) for ref in wanted}

    async def keep(self, connection: Connection, snapshots: Mapping[TicketRef, Snapshot], now: datetime) -> None:
        """Write the newest facts of tickets."""
        rows = (
            {
                "source": source,
                "ticket_id": ticket_id,
                "version": snapshot.version,
                "closed_version": snapshot.closed_version,
                "layers": snapshot.layers,
                "updated_at": now,
            }
            for (source, ticket_id), snapshot in snapshots.items()
        )
        await many(connection, self._keep, rows)

    async def save(self, connection: Connection, changed: Sequence[Link], now: datetime) -> None:
        """Write links that were made or changed, in the transaction in which they were read."""
        await many(connection, _INSERT, ({**row_of(link), "updated_at": now} for link in changed if not link.id))
        known = ({"of": link.id, **changing_of(link), "updated_at": now} for link in changed if link.id)
        await many(connection, _UPDATE, known)
        await self._tell_due(connection, changed, now)

    async def save_work(self, connection: Connection, changed: Sequence[Link], now: datetime) -> None:
        """Write what steps have changed in links, and leave alone what their tickets want."""
        rows = ({"of": link.id, **work_of(link), "updated_at": now} for link in changed)
        await many(connection, _UPDATE_WORK, rows)
        await self._tell_due(connection, changed, now)

    async def _tell_due(self, connection: Connection, changed: Sequence[Link], now: datetime) -> None:
        if any(link.leased_until is None and link.due_at is not None and link.due_at <= now for link in changed):
            await self._signals.due(connection)

    # -- people --------------------------------------------------------------------------------------------------------------------

    async def get(self, link_id: int) -> Link | None:
        """One link."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(links).where(links.c.id == link_id))).first()
        return None if row is None else link_of(row)

    async def list(self, wanted: LinkFilter, now: datetime) -> list[Link]:
        """Links, the newest first."""
        async with self._database.reading() as connection:
            query = _filtered(wanted, now).limit(wanted.limit)
            return [link_of(row) for row in await connection.execute(query)]

    async def counts(self, now: datetime) -> dict[str, int]:
        """How many links are in each state."""
        async with self._database.reading() as connection:
            total = (await connection.execute(select(func.count()).select_from(links))).scalar_one()
        backlog = await self.backlog(now)
        return {**backlog, LinkState.SETTLED.value: total - sum(backlog.values())}

    async def backlog(self, now: datetime) -> dict[str, int]:
        """How many links are in each state but settled: found by partial indexes, however large the table is."""
        every = select(func.count()).select_from(links)
        async with self._database.reading() as connection:
            return {
                state.value: (await connection.execute(every.where(_in_state(state, now)))).scalar_one()
                for state in (LinkState.PENDING, LinkState.WAITING, LinkState.PARKED)
            }

    async def attempts(self, link_id: int, newest: int | None = None) -> Sequence[Attempt]:
        """The audit trail of a link, the oldest first: all of it, or its so many newest."""
        query = select(attempts).where(attempts.c.link_id == link_id).order_by(attempts.c.id.desc()).limit(newest)
        async with self._database.reading() as connection:
            found = [
                Attempt(row.step, row.started_at, timedelta(milliseconds=row.took_ms), row.outcome, row.detail)
                for row in await connection.execute(query)
            ]
        return found[::-1]

    async def retry(self, ids: Sequence[int], now: datetime, render: Render) -> int:
        """Try links again at once, parked or waiting, as the configuration says now; how many there were.

        Raises what `render` raises; then none of them is tried.
        """
        async with self._database.writing() as connection:
            refs = {(row.source, row.ticket_id) for row in await connection.execute(_ONE_OF, {"ids": list(ids)})}
            known = await self.known(connection, refs, now)
            found = [link_of(row) for row in await connection.execute(LOCK, {"ids": list(ids)})]
            again = [render(link, known[link.source, link.ticket_id][0]) for link in found]
            again = [due(replace(link, parked=False, attempts=0, due_at=None, refused={}), now) for link in again]
            await self.save(connection, again, now)
        self._on_due()
        return len(again)

    async def forget(self, link_id: int) -> Link | None:
        """Remove a link, its audit trail and, with its last link, what is known of the ticket; the link as it was.

        Its task is left as it is. A link with a call that may be under way is not forgotten: `Rejected` says so.
        """
        async with self._database.writing() as connection:
            row = (await connection.execute(_ONE_OF, {"ids": [link_id]})).first()
            if row is None:
                return None
            await connection.execute(_SNAPSHOTS, these([(row.source, row.ticket_id)]))
            row = (await connection.execute(LOCK, {"ids": [link_id]})).first()
            if row is None:
                return None
            link = link_of(row)
            if link.leased_until is not None or (link.task_state is TaskState.UNKNOWN and not link.parked):
                raise Rejected(f"a call for link {link.id} may be under way; wait until it is settled or parked")
            await connection.execute(delete(attempts).where(attempts.c.link_id == link_id))
            await connection.execute(delete(links).where(links.c.id == link_id))
            of = and_(links.c.source == row.source, links.c.ticket_id == row.ticket_id)
            if (await connection.execute(select(links.c.id).where(of).limit(1))).first() is None:
                ticket = and_(tickets.c.source == row.source, tickets.c.ticket_id == row.ticket_id)
                await connection.execute(delete(tickets).where(ticket))
        return link


_SNAPSHOTS = (
    select(tickets).where(of_tickets(tickets)).order_by(tickets.c.source, tickets.c.ticket_id).with_for_update()
)
_GENERATIONS = select(links).where(of_tickets(links)).order_by(links.c.id).with_for_update()
_ONE_OF = select(links).where(links.c.id.in_(bindparam("ids", expanding=True))).order_by(links.c.id)
LOCK = _ONE_OF.with_for_update()
_INSERT = insert(links)
_UPDATE = Updates(links, CHANGING)
_UPDATE_WORK = Updates(links, WORK)


def _filtered(wanted: LinkFilter, now: datetime) -> Select[Any]:
    """The newest first. Of those that are not settled there are few: they are found by their indexes, and sorted."""
    few = wanted.state in (LinkState.PENDING, LinkState.WAITING, LinkState.PARKED)
    query = select(links).order_by(text("+links.id DESC") if few else links.c.id.desc())
    for column, value in (
        (links.c.source, wanted.source),
        (links.c.ticket_key, wanted.key),
        (links.c.ticket_id, wanted.ticket_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.before is not None:
        query = query.where(links.c.id < wanted.before)
    if wanted.state is not None:
        query = query.where(_in_state(wanted.state, now))
    return query


_PARKED: Any = text("links.parked")
"""As the partial index has it: that `parked = 1`, which SQLAlchemy makes of a truth, is the same, SQLite does not see."""


def _in_state(state: LinkState, now: datetime) -> Any:
    """`Link.state`, in SQL."""
    waits = and_(links.c.leased_until.is_(None), links.c.due_at > now)
    match state:
        case LinkState.PARKED:
            return _PARKED
        case LinkState.SETTLED:
            return and_(~links.c.parked, links.c.due_at.is_(None))
        case LinkState.WAITING:
            return and_(~links.c.parked, links.c.due_at.is_not(None), waits)
        case LinkState.PENDING:
            return and_(~links.c.parked, links.c.due_at.is_not(None), ~waits)
