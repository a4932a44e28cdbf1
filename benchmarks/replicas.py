"""`python -m benchmarks.replicas`: several processes on one PostgreSQL.

How long a webhook that reaches one of three idle replicas takes to become a CreateTask, and what one, two and four workers get done.
PostgreSQL is the tests' own, from a wheel, on the same machine: ratios say more than rates here.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random

from benchmarks.load import Connection, Served, body, request, run
from benchmarks.servers import StandIn, empty_database, prepared, process, stand_in

_numbers = count(1)


@asynccontextmanager
async def replicas(command: list[str], number: int) -> AsyncIterator[list[Served]]:
    """So many services in processes of their own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(process(command)) for _ in range(number)]


async def latencies(services: list[Served], orchestrator: StandIn, rounds: int, random: Random) -> list[float]:
    """Milliseconds from sending a webhook to one of them until CreateTask has come, one at a time, at rest between."""
    found = []
    for _ in range(rounds):
        before = orchestrator.tasks
        async with Connection(random.choice(services).url) as to:
            message = request(body(next(_numbers)))
            orchestrator.created.clear()
            sent = time.perf_counter()
            await to.send(message)
            await orchestrator.created.wait()
            found.append((time.perf_counter() - sent) * 1000)
        if orchestrator.tasks != before + 1:
            raise RuntimeError(f"{orchestrator.tasks - before} tasks for a ticket")
        await asyncio.sleep(0.05)
    return found


async def idle(rounds: int, number: int) -> list[float]:
    """The latencies of so many idle replicas."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("postgresql", Path(name)) as url:
        async with stand_in() as orchestrator:
            command = await prepared(Path(name), url, orchestrator.url)
            async with replicas(command, number) as services:
                await latencies(services, orchestrator, 10, Random(1))  # noqa: S311 - which one
                return await latencies(services, orchestrator, rounds, Random(2))  # noqa: S311 - which one


async def throughput(workers: int, tickets: int) -> float:
    """Tickets per second, opened and closed, by so many workers on one port."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("postgresql", Path(name)) as url:
        async with stand_in() as orchestrator:
            command = await prepared(Path(name), url, orchestrator.url)
            async with process([*command, "--workers", str(workers)]) as service:
                return await orchestrator.rate_of(service, tickets)


async def measure(rounds: int, tickets: int) -> str:
    """The table."""
    one, three = await idle(rounds, 1), await idle(rounds, 3)
    rates = {workers: await throughput(workers, tickets) for workers in (1, 2, 4)}
    lines = [
        f"webhook sent -> CreateTask received, at rest, {rounds} times: "
        + "; ".join(
            f"{name} {statistics.median(found):.1f} ms median, {statistics.quantiles(found, n=100)[98]:.1f} ms p99"
            for name, found in (("one replica", one), ("three replicas", three))
        )
    ]
    lines += [
        f"{workers} worker{'s' * (workers > 1):1} on PostgreSQL: {rate:6.0f} tickets/s, {rate / rates[1]:.2f} of one"
        for workers, rate in rates.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--tickets", type=int, default=500)
    chosen = parser.parse_args()
    sys.stdout.write(run(measure(chosen.rounds, chosen.tickets)) + "\n")


if __name__ == "__main__":
    main()
