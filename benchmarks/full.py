"""A full store: copies of rows that the service wrote itself, of a ticket whose task is completed and of one that is open.

The bodies of its deliveries are short, so that they can be filled in within minutes. Its tickets were heard of long ago, and some of
the deliveries came so: retention has to look at the ones, and to remove the others.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Select,
    String,
    Table,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    type_coerce,
)

from benchmarks.load import Connection, Served, body, request
from benchmarks.servers import StandIn
from bridge.store import Database
from bridge.store.tables import attempts, deliveries, links, tickets

_ENDED, _OPEN = 9_000_001, 9_000_002
"""The tickets that are copied."""

_FIRST = 10_000_000
"""Numbers of the copies, and of their tasks; those that are measured have other ones."""

_LONG_AGO = timedelta(days=100) // timedelta(milliseconds=1)
_ROOM = "PRAGMA cache_size = -1000000"
"""Indexes of text are filled in no order: they have to fit into SQLite's cache, or it takes three times as long."""


async def patterns(service: Served, orchestrator: StandIn) -> None:
    """Let the service write the two tickets that are copied."""
    orchestrator.expected = orchestrator.completed + 1
    orchestrator.done.clear()
    async with Connection(service.url) as to:
        for message in (body(_ENDED), body(_OPEN), body(_ENDED, closed=True)):
            await to.send(request(message))
    await orchestrator.done.wait()
    await service.rests()


async def fill(url: str, *, ended: int, opened: int, delivered: int, old: int) -> None:
    """So many more links whose task is completed, links whose ticket is open, and handled deliveries, of which so many are `old`."""
    database = Database(url, command_timeout=None)
    async with database.writing() as connection:
        if database.is_sqlite:
            await connection.execute(text(_ROOM))
        for first, share, pattern in ((_FIRST, ended, _ENDED), (2 * _FIRST, opened, _OPEN)):
            if share:
                series = _series(first, share)
                for table, row in _copies(series):
                    await connection.execute(_copy(table, row, series, pattern))
        if delivered:
            await connection.execute(delete(deliveries))
            await connection.execute(_delivered(_series(1, old), _LONG_AGO))
            await connection.execute(_delivered(_series(1 + old, delivered - old), 0))
        await connection.execute(text("ANALYZE"))
    await database.close()


def _series(first: int, how_many: int) -> CTE:
    """The numbers from the first one on."""
    start = select(literal(first).label("n")).cte("series", recursive=True)
    return start.union_all(select(start.c.n + 1).where(start.c.n < first + how_many - 1))


def _copies(series: CTE) -> Iterator[tuple[Table, dict[str, Any]]]:
    """What is another in a copy's rows."""
    ticket = cast(series.c.n, String)
    yield tickets, {"ticket_id": ticket, "updated_at": _before(tickets.c.updated_at, _LONG_AGO, series)}
    key = {"correlation_key": "copy " + ticket, "ticket_key": "OPS-" + ticket, "task_id": series.c.n}
    yield links, {"id": series.c.n, "ticket_id": ticket, **key}
    yield attempts, {"link_id": series.c.n}


def _before(moment: ColumnElement[Any], milliseconds: int, series: CTE) -> ColumnElement[Any]:
    """One after the other, so long before a moment."""
    return type_coerce(type_coerce(moment, BigInteger) - milliseconds + series.c.n % _FIRST, moment.type)


def _copy(table: Table, changed: dict[str, Any], series: CTE, ticket: int) -> Any:
    columns = [column for column in table.columns if column.name in changed or column.name != "id"]
    query: Select[Any] = select(*(changed.get(column.name, column) for column in columns)).select_from(table)
    one = select(links.c.id).where(links.c.ticket_id == str(ticket)).scalar_subquery()
    of = table.c.link_id == one if table is attempts else table.c.ticket_id == str(ticket)
    return insert(table).from_select([column.name for column in columns], query.join(series, literal(True)).where(of))


def _delivered(series: CTE, milliseconds: int) -> Any:
    ticket = cast(series.c.n % _FIRST + _FIRST, String)
    newest = select(func.max(links.c.updated_at)).scalar_subquery()
    row = {
        "source": literal("jira"),
        "dedupe_key": "copy " + cast(series.c.n, String),
        "received_at": _before(newest, milliseconds + _FIRST, series),
        "event": literal("jira:issue_updated"),
        "ticket_id": ticket,
        "body": literal(body(1)[:400]),
        "headers": literal({}, deliveries.c.headers.type),
        "state": literal("applied"),
    }
    return insert(deliveries).from_select(list(row), select(*row.values()).select_from(series))
