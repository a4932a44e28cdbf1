"""`python -m benchmarks.receiving`: webhooks acknowledged a second, beside an endpoint that only reads them.

Signed bodies of 6 KB, 64 connections, a durable commit before each answer; no route selects anything, but the intake reads them all.
The least of it is the signature, the JSON and SQLite's commit, for all who wait: fifty lines that know nothing else.
All servers run on one core and the load on the other. They take short turns, many times; a turn ends when its server rests, because
the intake lets those go first who wait for an acknowledgement: `until all are judged` counts that rest, as the CPU does.
"""

import argparse
import statistics
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Load, Served, run, webhooks
from benchmarks.servers import baseline, bridge_on, pinned

CONNECTIONS = 64
ENGINES = ("sqlite", "postgresql")
SERVERS = {
    "bare": "bare Starlette",
    "transaction": "one SQLite transaction a request",
    "least": "the least of a durable receive",
    "sqlite": "durable receive, SQLite",
    "postgresql": "durable receive, PostgreSQL",
}


@dataclass
class Turns:
    """One server, and what each of its turns measured: the load, deliveries a second until it rested, µs of CPU for each."""

    server: Served
    loads: list[Load] = field(default_factory=list)
    sustained: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    sent: int = 0

    async def take(self, seconds: float) -> None:
        """One turn."""
        cpu = self.server.cpu_seconds()
        load = await webhooks(self.server, seconds, CONNECTIONS, first=self.sent + 1)
        rest = await self.server.rests()
        if self.sent:  # the first turn warms it up
            self.loads.append(load)
            self.sustained.append(load.requests / (load.requests / load.per_second + rest))
            self.cpu.append((self.server.cpu_seconds() - cpu) / load.requests * 1e6)
        self.sent += load.requests


async def measure(rounds: int, seconds: float) -> dict[str, Turns]:
    """The turns of every server."""
    async with AsyncExitStack() as stack:
        found = {
            name: Turns(await stack.enter_async_context(bridge_on(name) if name in ENGINES else baseline(name)))
            for name in SERVERS
        }
        for _ in range(rounds + 1):
            for turns in found.values():
                await turns.take(seconds)
    return found


def figures(found: dict[str, Turns]) -> list[Figure]:
    """Medians, and their ratios."""
    rate = {name: statistics.median(load.per_second for load in turns.loads) for name, turns in found.items()}
    p99 = {name: statistics.median(load.p99_ms for load in turns.loads) for name, turns in found.items()}
    lines: list[Figure] = []
    for name, what in SERVERS.items():
        lines.append(Figure(what, rate[name], "/s"))
        lines.append(Figure(f"{what}, p99", p99[name], "ms"))
        lines.append(Figure(f"{what}, CPU", statistics.median(found[name].cpu), "µs each"))
        if name in ENGINES:
            lines.append(Figure(f"{what}, of bare Starlette", rate[name] / rate["bare"], "", Target(0.45, 0.60)))
            lines.append(Figure(f"{what}, p99 of bare's", p99[name] / p99["bare"], "", Target(3, 2, less=True)))
            lines.append(Figure(f"{what}, until all are judged", statistics.median(found[name].sustained), "/s"))
    share = rate["sqlite"] / rate["transaction"]
    lines.append(Figure("durable receive, SQLite, of one transaction a request", share, "", Target(6, 10)))
    lines.append(Figure("durable receive, SQLite, of the least", rate["sqlite"] / rate["least"], ""))
    lines.append(Figure("the least, of bare Starlette", rate["least"] / rate["bare"], ""))
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiving", description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1.5, help="of load in a turn")
    chosen = parser.parse_args()
    sys.stdout.write(f"{pinned()}\n\n")
    sys.stdout.write(table(figures(run(measure(chosen.rounds, chosen.seconds)))) + "\n")


if __name__ == "__main__":
    main()
