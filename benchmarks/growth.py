"""`python -m benchmarks.growth`: a service beside a million links and three million deliveries, and one on an empty store.

By turns at both: webhooks acknowledged, and tickets opened and closed, one at a time and many at once (webhook, CreateTask, webhook,
CompleteTask). Then what is done by the clock: a poll cycle of as many open tickets in both stores, claims, and retention at work.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from benchmarks.figures import Figure, Target, table
from benchmarks.full import fill, patterns
from benchmarks.load import Connection, Served, body, request, run, webhooks
from benchmarks.polling import configuration, jira, written
from benchmarks.servers import StandIn, empty_database, pinned, prepared, process, stand_in
from benchmarks.upkeep import claim_ms, poll_seconds, retention
from bridge.store import Database, Store

FLAT = Target(0.90, 0.97)
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}

_numbers = count(1)
_CROWD = 150
_OPEN_OF = 40
"""One in so many tickets is open, as its task is."""
_OLD_OF = 30
"""One in so many deliveries is older than retention keeps it."""
_CONNECTIONS = 64
_RECEIVING_S = 0.7
_POLLS, _CLAIMS = 3, 50


@dataclass
class Kept:
    """A store, with what a service needs to run on it."""

    url: str
    folder: Path
    command: list[str]
    orchestrator: StandIn


@asynccontextmanager
async def kept(engine: str) -> AsyncIterator[Kept]:
    """A store that knows the two tickets that copies are made of."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database(engine, Path(name)) as url:
        async with stand_in() as orchestrator:
            command = await prepared(Path(name), url, orchestrator.url)
            async with process(command) as service:
                await patterns(service, orchestrator)
            yield Kept(url, Path(name), command, orchestrator)


# -- by turns ----------------------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    """One service: how long each ticket took at it, how many a second it took at once, how many webhooks it acknowledged."""

    service: Served
    orchestrator: StandIn
    milliseconds: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    tickets_per_second: list[float] = field(default_factory=list)
    webhooks_per_second: list[float] = field(default_factory=list)

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
        self.tickets_per_second.append(await self.orchestrator.rate_of(self.service, tickets, first))

    async def receive(self) -> None:
        """As many webhooks as it acknowledges, of tickets that no route selects."""
        load = await webhooks(
            self.service, _RECEIVING_S, _CONNECTIONS, first=100_000_000 + next(_numbers) * 100_000, project="NONE"
        )
        self.webhooks_per_second.append(load.per_second)
        await self.service.rests()

    async def turn(self, tickets: int, *, receives: bool) -> None:
        """One after the other, then at once; now and then all that can be received."""
        await self.burst(tickets)
        await self.crowd(_CROWD)
        if receives:
            await self.receive()

    def forget(self) -> None:
        """The first turn warms it up."""
        for figures in (self.milliseconds, self.cpu_ms, self.tickets_per_second, self.webhooks_per_second):
            figures.clear()


async def by_turns(stores: Sequence[Kept], rounds: int, tickets: int) -> list[Way]:
    """A service on each store."""
    async with AsyncExitStack() as stack:
        ways = [Way(await stack.enter_async_context(process(each.command)), each.orchestrator) for each in stores]
        for way in ways:
            await way.turn(tickets, receives=True)
            way.forget()
        for number in range(rounds):
            for way in ways if number % 2 else reversed(ways):
                await way.turn(tickets, receives=number % 4 < 2)
    return ways


# -- by the clock ------------------------------------------------------------------------------------------------------------------


async def polls_and_claims(stores: Sequence[Kept]) -> tuple[list[list[float]], list[list[float]]]:
    """Seconds of poll cycles, and milliseconds of claims, of each store."""
    async with jira() as at, AsyncExitStack() as stack:
        opened: list[tuple[Kept, Store]] = []
        for each in stores:
            store = Store(Database(each.url, command_timeout=None))
            stack.push_async_callback(store.database.close)
            opened.append((each, store))
        seconds: list[list[float]] = [[] for _ in stores]
        for _ in range(_POLLS):
            for (each, store), found in zip(opened, seconds, strict=True):
                config = configuration(written(each.folder, at.url, "5m", each.url))
                found.append(await poll_seconds(config, store))
        return seconds, [await claim_ms(store, _CLAIMS) for _, store in opened]


# -- both ------------------------------------------------------------------------------------------------------------------------------


async def compare(name: str, empty: Kept, full: Kept, how_many: int, rounds: int, tickets: int) -> list[Figure]:
    """Both stores, and what they differ in."""
    opened = how_many // _OPEN_OF
    ways = await by_turns((empty, full), rounds, tickets)
    await fill(empty.url, ended=0, opened=opened, delivered=0, old=0)
    polls, claims = await polls_and_claims((empty, full))
    retained = await retention(full.url, full.folder / "config.yaml")
    found: list[tuple[str, str, list[list[float]]]] = [
        (f"durable receive, {name}", "/s", [way.webhooks_per_second for way in ways]),
        (f"a ticket opened and closed, {name}", "ms", [way.milliseconds for way in ways]),
        (f"CPU for it, {name}", "ms", [way.cpu_ms for way in ways]),
        (f"tickets opened and closed at once, {name}", "/s", [way.tickets_per_second for way in ways]),
        (f"a poll cycle of {opened:,} open tickets, {name}", "s", polls),
        (f"a claim of 16 links, {name}", "ms", claims),
    ]
    lines: list[Figure] = []
    for what, unit, of_both in found:
        alone, beside = map(statistics.median, of_both)
        flat = beside / alone if unit == "/s" else alone / beside
        lines.append(Figure(f"{what}, empty", alone, unit))
        lines.append(Figure(f"beside {how_many:,} links", beside, unit))
        lines.append(Figure("of the empty one's", flat, "", FLAT))
    return [
        *lines,
        Figure(f"retention, {name}: removed", retained.deliveries),
        Figure("a second", retained.deliveries / retained.seconds, "/s"),
        Figure("acknowledgement, p99 before it", retained.quiet_ms, "ms"),
        Figure("acknowledgement, p99 meanwhile", retained.busy_ms, "ms"),
    ]


async def measure(how_many: int, deliveries_each: int, rounds: int, tickets: int) -> list[Figure]:
    """On both engines, whose stores are filled at the same time."""
    opened, delivered = how_many // _OPEN_OF, how_many * deliveries_each
    contents = {"ended": how_many - opened, "opened": opened, "delivered": delivered, "old": delivered // _OLD_OF}
    found: list[Figure] = []
    async with AsyncExitStack() as stack:
        stores = {
            name: [await stack.enter_async_context(kept(engine)) for _ in ("empty", "full")]
            for engine, name in ENGINES.items()
        }
        await asyncio.gather(*(fill(full.url, **contents) for _, full in stores.values()))
        for name, (empty, full) in stores.items():
            found += await compare(name, empty, full, how_many, rounds, tickets)
    return found


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
