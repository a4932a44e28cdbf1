"""`python -m benchmarks.growth`: tickets on their way through a store of a million links, beside an empty one.

Tickets are opened and closed, one at a time and then many at once, by turns at a service with an empty store and at one with a full
store: webhook, CreateTask, webhook, CompleteTask. The full store holds copies of rows that the service wrote itself; the bodies of
its deliveries are short, so that they can be filled in within minutes.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import Any

from sqlalchemy import CTE, Select, String, Table, cast, delete, func, insert, literal, select, text

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Connection, Served, body, request, run
from benchmarks.servers import StandIn, empty_database, pinned, prepared, process, stand_in
from bridge.store import Database
from bridge.store.tables import attempts, deliveries, links, tickets

_FIRST = 10_000_000
"""Numbers of the tickets that fill the store, and of their tasks; those that are measured have smaller ones."""

_OPEN_OF = 10
"""One in so many tickets is open, as its task is."""

FLAT = Target(0.90, 0.97)
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

_numbers = count(1)
_CROWD = 150
_ROOM = "PRAGMA cache_size = -1000000"
"""Indexes of text are filled in no order: they have to fit into SQLite's cache, or it takes three times as long."""


# -- a full store --------------------------------------------------------------------------------------------------------------------


async def fill(url: str, how_many: int, deliveries_each: int) -> None:
    """Copy ticket 1, which is completed, and ticket 2, which is open, so often."""
    database = Database(url, command_timeout=None)
    async with database.writing() as connection:
        if database.is_sqlite:
            await connection.execute(text(_ROOM))
        await connection.execute(delete(deliveries))
        for number, ticket, share in ((0, 1, how_many - how_many // _OPEN_OF), (1, 2, how_many // _OPEN_OF)):
            series = _series(_FIRST * (1 + number), share)
            for table, row in _copies(series):
                await connection.execute(_copy(table, row, series, ticket))
        await connection.execute(_delivered(_series(1, how_many * deliveries_each)))
        await connection.execute(text("ANALYZE"))
    await database.close()


def _series(first: int, how_many: int) -> CTE:
    """The numbers from the first one on."""
    start = select(literal(first).label("n")).cte("series", recursive=True)
    return start.union_all(select(start.c.n + 1).where(start.c.n < first + how_many - 1))


def _copies(series: CTE) -> Iterator[tuple[Table, dict[str, Any]]]:
    """What is another in a copy's rows."""
    ticket = cast(series.c.n, String)
    yield tickets, {"ticket_id": ticket}
    key = {"correlation_key": "copy " + ticket, "ticket_key": "OPS-" + ticket, "task_id": series.c.n}
    yield links, {"id": series.c.n, "ticket_id": ticket, **key}
    yield attempts, {"link_id": series.c.n}


def _copy(table: Table, changed: dict[str, Any], series: CTE, ticket: int) -> Any:
    columns = [column for column in table.columns if column.name in changed or column.name != "id"]
    query: Select[Any] = select(*(changed.get(column.name, column) for column in columns)).select_from(table)
    one = select(links.c.id).where(links.c.ticket_id == str(ticket)).scalar_subquery()
    of = table.c.link_id == one if table is attempts else table.c.ticket_id == str(ticket)
    return insert(table).from_select([column.name for column in columns], query.join(series, literal(True)).where(of))


def _delivered(series: CTE) -> Any:
    ticket = cast(series.c.n % _FIRST + _FIRST, String)
    row = {
        "source": literal("jira"),
        "dedupe_key": "copy " + cast(series.c.n, String),
        "received_at": select(func.max(links.c.updated_at)).scalar_subquery(),
        "event": literal("jira:issue_updated"),
        "ticket_id": ticket,
        "body": literal(body(1)[:400]),
        "headers": literal({}, deliveries.c.headers.type),
        "state": literal("applied"),
    }
    return insert(deliveries).from_select(list(row), select(*row.values()).select_from(series))


# -- what is measured --------------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    """One service, how long each ticket took at it, and how many a second it took at once."""

    service: Served
    orchestrator: StandIn
    milliseconds: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    async def go(self, to: Connection) -> None:
        """One ticket, opened and closed."""
        number, orchestrator = next(_numbers), self.orchestrator
        messages = request(body(number)), request(body(number, closed=True))
        orchestrator.created.clear()
        orchestrator.done.clear()
        orchestrator.expected = orchestrator.completed + 1
        began = time.perf_counter()
        await to.send(messages[0])
        await orchestrator.created.wait()
        await to.send(messages[1])
        await orchestrator.done.wait()
        self.milliseconds.append((time.perf_counter() - began) * 1000)

    async def burst(self, tickets: int) -> None:
        """Many tickets, one after the other."""
        before = self.service.cpu_seconds()
        async with Connection(self.service.url) as to:
            for _ in range(tickets):
                await self.go(to)
        self.cpu_ms.append((self.service.cpu_seconds() - before) * 1000 / tickets)

    async def crowd(self, tickets: int) -> None:
        """Many tickets at once."""
        first, *_ = islice(_numbers, tickets)
        self.per_second.append(await self.orchestrator.rate_of(self.service, tickets, first))

    async def turn(self, tickets: int) -> None:
        """One after the other, then at once."""
        await self.burst(tickets)
        await self.crowd(_CROWD)

    def forget(self) -> None:
        """The first turn warms it up."""
        for figures in (self.milliseconds, self.cpu_ms, self.per_second):
            figures.clear()

    def report(self) -> tuple[float, float, float]:
        """Medians: milliseconds for a ticket, milliseconds of the service's CPU for it, and tickets a second at once."""
        return statistics.median(self.milliseconds), statistics.median(self.cpu_ms), statistics.median(self.per_second)


@asynccontextmanager
async def way(engine: str, how_many: int, deliveries_each: int) -> AsyncIterator[Way]:
    """A service on a store with so many links."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database(engine, Path(name)) as url:
        async with stand_in() as orchestrator:
            command = await prepared(Path(name), url, orchestrator.url)
            if how_many:
                async with process(command) as service, Connection(service.url) as to:
                    await to.send(request(body(1)))
                    await to.send(request(body(2)))
                    orchestrator.expected = 1
                    await to.send(request(body(1, closed=True)))
                    await orchestrator.done.wait()
                await fill(url, how_many, deliveries_each)
            async with process(command) as service:
                yield Way(service, orchestrator)


async def compare(engine: str, how_many: int, deliveries_each: int, rounds: int, tickets: int) -> list[Figure]:
    """Both services, by turns."""
    async with AsyncExitStack() as stack:
        empty, full = [await stack.enter_async_context(way(engine, size, deliveries_each)) for size in (0, how_many)]
        for each in (empty, full):
            await each.turn(tickets)
            each.forget()
        for number in range(rounds):
            for each in (empty, full) if number % 2 else (full, empty):
                await each.turn(tickets)
    (took, cpu, rate), (took_full, cpu_full, rate_full) = empty.report(), full.report()
    name = ENGINES[engine]
    return [
        Figure(f"a ticket opened and closed, empty {name}", took, "ms"),
        Figure(f"beside {how_many:,} links", took_full, "ms"),
        Figure("of the empty one's speed", took / took_full, "", FLAT),
        Figure(f"CPU for it, empty {name}", cpu, "ms"),
        Figure(f"CPU for it, beside {how_many:,} links", cpu_full, "ms"),
        Figure("of the empty one's CPU", cpu / cpu_full, "", FLAT),
        Figure(f"tickets opened and closed at once, empty {name}", rate, "/s"),
        Figure(f"at once, beside {how_many:,} links", rate_full, "/s"),
        Figure("of the empty one's rate", rate_full / rate, "", FLAT),
    ]


async def measure(how_many: int, deliveries_each: int, rounds: int, tickets: int) -> list[Figure]:
    """On both engines."""
    return [
        figure for engine in ENGINES for figure in await compare(engine, how_many, deliveries_each, rounds, tickets)
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--links", type=int, default=1_000_000)
    parser.add_argument("--deliveries", type=int, default=3, help="for each link")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tickets", type=int, default=30, help="one after the other, in a round at each service")
    chosen = parser.parse_args()
    pinned()
    found = run(measure(chosen.links, chosen.deliveries, chosen.rounds, chosen.tickets))
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
