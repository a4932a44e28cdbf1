"""`python -m benchmarks.receiving`: webhooks acknowledged a second, beside an endpoint that only reads them.

Signed bodies of 6 KB, 64 connections, a durable commit before each answer; no route selects anything, but the intake reads them all.
The servers take their turns in the same rounds, on one core; the load is on the other.
"""

import argparse
import asyncio
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Load, Served, webhooks
from benchmarks.servers import baseline, bridge_on, pinned

CONNECTIONS = 64
ENGINES = ("sqlite", "postgresql")
SERVERS = ("bare", "transaction", *ENGINES)


@asynccontextmanager
async def _server(name: str) -> AsyncIterator[Served]:
    async with bridge_on(name) if name in ENGINES else baseline(name) as served:
        yield served


async def measure(rounds: int, seconds: float) -> dict[str, list[Load]]:
    """Every round of every server; the first second of each warms it up."""
    found: dict[str, list[Load]] = {name: [] for name in SERVERS}
    for _ in range(rounds):
        for name, loads in found.items():
            async with _server(name) as server:
                await webhooks(server, 1, CONNECTIONS)
                loads.append(await webhooks(server, seconds, CONNECTIONS, first=1_000_000))
    return found


def figures(found: dict[str, list[Load]]) -> list[Figure]:
    """Medians, and their ratios."""
    rate = {name: statistics.median(load.per_second for load in loads) for name, loads in found.items()}
    p99 = {name: statistics.median(load.p99_ms for load in loads) for name, loads in found.items()}
    cpu = {name: statistics.median(load.cpu_us for load in loads) for name, loads in found.items()}
    lines = [
        line
        for name, what in (("bare", "bare Starlette"), ("transaction", "one SQLite transaction a request"))
        for line in _told(what, rate[name], p99[name], cpu[name])
    ]
    for engine, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        what = f"durable receive, {name}"
        lines += _told(what, rate[engine], p99[engine], cpu[engine])
        lines.append(Figure(f"{what}, of bare Starlette", rate[engine] / rate["bare"], "", Target(0.45, 0.60)))
        lines.append(Figure(f"{what}, p99 of bare's", p99[engine] / p99["bare"], "", Target(3, 2, less=True)))
    share = rate["sqlite"] / rate["transaction"]
    lines.append(Figure("durable receive, SQLite, of one transaction a request", share, "", Target(6, 10)))
    return lines


def _told(what: str, rate: float, p99: float, cpu: float) -> list[Figure]:
    return [Figure(what, rate, "/s"), Figure(f"{what}, p99", p99, "ms"), Figure(f"{what}, CPU", cpu, "µs a request")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of load in a round")
    chosen = parser.parse_args()
    sys.stdout.write(f"{pinned()}\n\n")
    sys.stdout.write(table(figures(asyncio.run(measure(chosen.rounds, chosen.seconds)))) + "\n")


if __name__ == "__main__":
    main()
