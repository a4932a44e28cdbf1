"""The inbox: deliveries as they came. Append-only but for what became of each."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import accumulate
from typing import Any

from msgspec import Struct
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    func,
    literal,
    select,
    text,
    update,
)

from bridge.errors import Deadlock
from bridge.model import Delivery, DeliveryId, DeliveryState, NewDelivery
from bridge.store.database import Connection, Database, many
from bridge.store.group_commit import GroupCommit
from bridge.store.records import delivery_of
from bridge.store.signals import Signals
from bridge.store.statements import Updates
from bridge.store.tables import deliveries

_Key = tuple[str, str]
"""A source's name and the key by which it knows a delivery again."""

_Numbered = Sequence[Any]
"""The id of a delivery, and its key."""

_BATCH_BYTES = 16 * 1024 * 1024
_WAITING_BYTES = 128 * 1024 * 1024
"""Of bodies that wait for a commit; beyond that the receiver answers 503."""

_OTHERS_GO_FIRST_S = (0.05, 0.2, 0.5)
"""At once they would meet once more, and of two that wait for each other the database undoes the one that has waited longer."""

_SIZE = func.coalesce(deliveries.c.size, func.length(deliveries.c.body)).label("size")
_LISTED = [column for column in deliveries.c if column.name not in ("body", "size")] + [
    literal(b"").label("body"),
    _SIZE,
]


class Verdict(Struct, frozen=True):
    """What became of a delivery, and why."""

    id: DeliveryId
    state: DeliveryState
    reason: str | None = None
    ticket_id: str | None = None


STRANGE_AFTER = timedelta(minutes=5)
"""How long a delivery of a source that is not configured waits: a replica with a newer configuration may know it."""


class Lane(Struct, frozen=True):
    """The deliveries of one source; without a `source`, those of every source `but` these that have waited for `STRANGE_AFTER`."""

    source: str | None
    but: tuple[str, ...] = ()


class Batch(Struct, frozen=True):
    """Deliveries to be taken together, and whether more wait behind them."""

    deliveries: Sequence[Delivery]
    more: bool


class DeliveryFilter(Struct, frozen=True):
    """Which deliveries to list; None does not restrict."""

    source: str | None = None
    state: DeliveryState | None = None
    ticket_id: str | None = None
    since: datetime | None = None
    before: int | None = None  # ids below this: the cursor
    limit: int = 50


class Inbox:
    """The deliveries. `on_append` is called with every source of which a commit brought new ones."""

    def __init__(
        self, database: Database, signals: Signals, on_append: Callable[[str], None] = lambda _source: None
    ) -> None:
        self._database = database
        self._signals = signals
        self._on_append = on_append
        insert = database.insert(deliveries).on_conflict_do_nothing(index_elements=["source", "dedupe_key"])
        self._insert = insert if database.is_sqlite else insert.returning(*_NUMBERED)
        self._commits = GroupCommit(
            self._append_all,
            _weight,
            batch=_BATCH_BYTES,
            waiting=_WAITING_BYTES,
            at_once=1 if database.is_sqlite else 2,
        )

    def append(self, request: Sequence[NewDelivery]) -> Awaitable[Sequence[DeliveryId | None]]:
        """Store the deliveries of one request in one transaction: the id of each, None for one that is there already.

        When it returns they are durable. Raises `StoreUnavailable`; then none of them is stored.
        """
        return self._commits.submit(request)

    async def _append_all(self, requests: Sequence[Sequence[NewDelivery]]) -> Sequence[Sequence[DeliveryId | None]]:
        fresh: dict[_Key, NewDelivery] = {}
        for request in requests:
            for delivery in request:
                fresh.setdefault(_key(delivery), delivery)
        stored = await self._store_after_others(fresh.values())
        ids = {(source, dedupe_key): DeliveryId(number) for number, source, dedupe_key in stored}
        sources = {source for source, _ in ids}
        self._signals.stored(sources)
        for source in sources:
            self._on_append(source)
        # pop: of several same deliveries in one batch the first is new, the others are duplicates
        return [[ids.pop(_key(delivery), None) for delivery in request] for request in requests]

    async def _store_after_others(self, fresh: Collection[NewDelivery]) -> Sequence[_Numbered]:
        """Store them; where another replica has the same ones in another order and goes first, wait until it has gone."""
        for wait in _OTHERS_GO_FIRST_S:
            try:
                return await self._store(fresh)
            except Deadlock:
                await asyncio.sleep(wait)
        return await self._store(fresh)

    async def _store(self, fresh: Collection[NewDelivery]) -> Sequence[_Numbered]:
        """The rows of those that are new, in the order of their arrival."""
        if not fresh:
            return []
        rows = [_row(delivery) for delivery in fresh]
        if self._database.is_sqlite:
            return await self._database.write(lambda connection: self._count_up(connection, rows))
        return (await self._database.write_once(self._insert, rows)).all()

    async def _count_up(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[_Numbered]:
        """SQLite's ids follow one another (https://sqlite.org/autoinc.html): where all are new, none need be asked for."""
        stored = (await connection.execute(self._insert, rows)).rowcount
        last = (await connection.execute(_LAST)).scalar_one()
        if stored < len(rows):
            return (await connection.execute(_AFTER, {"id": last - stored})).all()
        return [(number, row["source"], row["dedupe_key"]) for number, row in enumerate(rows, last - stored + 1)]

    async def lull(self, within: timedelta) -> bool:
        """Returns when no crowd waits for deliveries to be stored, at the latest after this long; whether there is none."""
        return await self._commits.lull(within)

    async def pending(self, lane: Lane, limit: int, now: datetime) -> Batch:
        """The oldest deliveries of a lane that no intake has seen, so many and so large that they can be held at once."""
        strange = None if lane.source is not None else now - STRANGE_AFTER

        async def work(connection: Connection) -> Batch:
            waiting = await connection.execute(_sizes(lane), {"limit": limit})
            found = [(row.id, row.size) for row in waiting if strange is None or row.received_at <= strange]
            if not found:
                return Batch([], more=False)
            sizes = accumulate(size for _, size in found)
            fitting = [number for (number, _), size in zip(found, sizes, strict=True) if size <= _BATCH_BYTES]
            ids = fitting or [number for number, _ in found[:1]]
            whole = [delivery_of(row) for row in await connection.execute(_WHOLE, {"ids": ids})]
            return Batch(whole, more=len(found) == limit or len(ids) < len(found))

        return await self._database.read(work)

    async def lock(self, connection: Connection, ids: Sequence[DeliveryId]) -> set[DeliveryId]:
        """Those of these deliveries that are still pending, locked for this transaction."""
        return {DeliveryId(row.id) for row in await connection.execute(_LOCKED, {"ids": ids})}

    async def judge(self, connection: Connection, verdicts: Sequence[Verdict]) -> None:
        """Write what became of deliveries."""
        rows = ({"of": v.id, "state": v.state, "reason": v.reason, "ticket_id": v.ticket_id} for v in verdicts)
        await many(connection, _JUDGE, rows)

    async def get(self, delivery_id: int) -> Delivery | None:
        """One delivery."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(deliveries).where(deliveries.c.id == delivery_id))).first()
        return None if row is None else delivery_of(row)

    async def list(self, wanted: DeliveryFilter) -> list[Delivery]:
        """Deliveries, the newest first, without their bodies."""
        async with self._database.reading() as connection:
            rows = await connection.execute(_filtered(wanted).limit(wanted.limit))
            return [delivery_of(row) for row in rows]

    async def counts(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        async with self._database.reading() as connection:
            query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
            found = {row[0]: row[1] for row in await connection.execute(query)}
        return {state.value: found.get(state, 0) for state in DeliveryState}

    async def backlog(self) -> dict[str, int]:
        """How many deliveries wait for the intake or for a person: found by partial indexes, however large the inbox is."""
        async with self._database.reading() as connection:
            return {
                state.value: (await connection.execute(_in_state(state, func.count()))).scalar_one()
                for state in (DeliveryState.PENDING, DeliveryState.PARKED)
            }

    async def replay(self, ids: Sequence[int]) -> int:
        """Hand deliveries to the intake once more; how many there were. Replaying changes nothing that is right already."""
        async with self._database.writing() as connection:
            statement = (
                update(deliveries)
                .where(deliveries.c.id.in_(ids))
                .values(state=DeliveryState.PENDING, reason=None)
                .returning(deliveries.c.source)
            )
            sources = (await connection.execute(statement)).scalars().all()
            for source in set(sources):
                await self._signals.delivered(connection, source)
        for source in set(sources):
            self._on_append(source)
        return len(sources)

    async def unpark(self, lane: Lane, reason: str) -> None:
        """Hand a lane's parked deliveries whose reason begins so to the intake once more."""
        async with self._database.writing() as connection:
            parked = _in_state(DeliveryState.PARKED, deliveries.c.id).where(
                _of(lane), deliveries.c.reason.startswith(reason, autoescape=True)
            )
            again = update(deliveries).where(deliveries.c.id.in_(parked))
            await connection.execute(again.values(state=DeliveryState.PENDING, reason=None))


def _key(delivery: NewDelivery) -> _Key:
    return delivery.source, delivery.dedupe_key


def _row(delivery: NewDelivery) -> dict[str, Any]:
    return {
        "source": delivery.source,
        "dedupe_key": delivery.dedupe_key,
        "received_at": delivery.received_at,
        "event": delivery.event,
        "ticket_id": delivery.ticket_id,
        "body": delivery.body,
        "size": len(delivery.body),
        "headers": delivery.headers,
        "state": DeliveryState.PENDING,
    }


def _weight(request: Sequence[NewDelivery]) -> int:
    return sum([len(delivery.body) for delivery in request])


def _in_state(state: DeliveryState, *columns: Any) -> Select[Any]:
    return select(*columns).select_from(deliveries).where(_is(state))


def _is(state: DeliveryState) -> ColumnElement[bool]:
    # the literal lets the engines see that the partial index of the state applies
    inline: BindParameter[Any] = bindparam("in_state", state, literal_execute=True)
    return deliveries.c.state == inline


def _of(lane: Lane) -> ColumnElement[bool]:
    return deliveries.c.source.not_in(lane.but) if lane.source is None else deliveries.c.source == lane.source


def _pending(*columns: Any) -> Select[Any]:
    return _in_state(DeliveryState.PENDING, *columns)


@cache
def _sizes(lane: Lane) -> Select[Any]:
    sizes = _pending(deliveries.c.id, _SIZE, deliveries.c.received_at).where(_of(lane))
    # by source as well: the order of the index, without which SQLite would read the whole inbox in the order of its ids
    return sizes.order_by(deliveries.c.source, deliveries.c.id).limit(bindparam("limit", type_=Integer))


_NUMBERED = (deliveries.c.id, deliveries.c.source, deliveries.c.dedupe_key)
_LAST = select(func.max(deliveries.c.id))
_AFTER = select(*_NUMBERED).where(deliveries.c.id > bindparam("id"))
_ONE_OF = deliveries.c.id.in_(bindparam("ids", expanding=True))
_WHOLE = _pending(*deliveries.c).where(_ONE_OF).order_by(deliveries.c.id)
_LOCKED = _pending(deliveries.c.id).where(_ONE_OF).with_for_update(skip_locked=True)
_JUDGE = Updates(deliveries, ("state", "reason", "ticket_id"))


def _filtered(wanted: DeliveryFilter) -> Select[Any]:
    """The newest first. Of those that wait there are few: they are found by their index, and sorted."""
    few = wanted.state in (DeliveryState.PENDING, DeliveryState.PARKED)
    query = select(*_LISTED).order_by(text("+deliveries.id DESC") if few else deliveries.c.id.desc())
    for column, value in ((deliveries.c.source, wanted.source), (deliveries.c.ticket_id, wanted.ticket_id)):
        if value is not None:
            query = query.where(column == value)
    if wanted.state is not None:
        query = query.where(_is(wanted.state))
    if wanted.since is not None:
        query = query.where(deliveries.c.received_at >= wanted.since)
    return query if wanted.before is None else query.where(deliveries.c.id < wanted.before)
