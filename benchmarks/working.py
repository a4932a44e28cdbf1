"""`python -m benchmarks.working`: tickets opened and closed end to end, and how soon a webhook is a task when nothing else is done.

Webhook, CreateTask, webhook, CompleteTask, against a minimal Orchestrator that runs beside the load; the baseline is the same two calls
in a loop with the same HTTP client, as many at once, with no bridge around them.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Connection, body, request, run
from benchmarks.servers import bridge_on, pinned, stand_in

AT_ONCE = 16
"""Calls under way: what the bridge does by default."""

ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


async def bare_loop(tickets: int) -> float:
    """Tickets per second of the loop."""
    async with stand_in() as orchestrator:
        core = os.environ.get("BENCHMARK_SERVER_CORE")
        pin = ["taskset", "-c", core] if core is not None else []
        options = ["--orchestrator", orchestrator.url, "--tickets", str(tickets), "--at-once", str(AT_ONCE)]
        command = [*pin, sys.executable, "-m", "benchmarks.baselines", "loop", *options]
        loop = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        answer, _ = await loop.communicate()
        return float(answer)


async def end_to_end(engine: str, tickets: int) -> float:
    """Tickets per second of the bridge, from the first webhook to the last CompleteTask."""
    async with stand_in() as orchestrator, bridge_on(engine, orchestrator.url) as bridge:
        return await orchestrator.rate_of(bridge, tickets)


async def latencies(engine: str, times: int) -> list[float]:
    """Milliseconds from sending a webhook until CreateTask has come, one at a time, at rest between."""
    found: list[float] = []
    async with stand_in() as orchestrator, bridge_on(engine, orchestrator.url) as bridge, Connection(bridge.url) as to:
        for number in range(1, times + 21):
            message = request(body(number))
            orchestrator.created.clear()
            sent = time.perf_counter()
            await to.send(message)
            await orchestrator.created.wait()
            found.append((time.perf_counter() - sent) * 1000)
            await asyncio.sleep(0.05)
    return found[20:]  # the first ones warm it up


async def measure(rounds: int, tickets: int, times: int) -> list[Figure]:
    """The loop and the bridges by turns; then the bridges at rest."""
    loop: list[float] = []
    rates: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    for _ in range(rounds):
        loop.append(await bare_loop(tickets))
        for engine, found in rates.items():
            found.append(await end_to_end(engine, tickets))
    baseline = statistics.median(loop)
    lines = [Figure("bare httpx loop, two calls a ticket", baseline, "tickets/s")]
    for engine, name in ENGINES.items():
        rate = statistics.median(rates[engine])
        lines.append(Figure(f"end to end, {name}", rate, "tickets/s"))
        lines.append(Figure(f"end to end, {name}, of the bare loop", rate / baseline, "", Target(0.50, 0.75)))
    for engine, name in ENGINES.items():
        found = await latencies(engine, times)
        target = Target(15, 6, less=True) if engine == "sqlite" else None
        lines.append(Figure(f"idle, webhook → CreateTask, {name}, median", statistics.median(found), "ms", target))
        lines.append(Figure(f"idle, webhook → CreateTask, {name}, p99", statistics.quantiles(found, n=100)[98], "ms"))
    return lines


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.working", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tickets", type=int, default=1000, help="in a round")
    parser.add_argument("--times", type=int, default=200, help="that a webhook is timed at rest")
    chosen = parser.parse_args()
    sys.stdout.write(f"{pinned()}\n\n")
    sys.stdout.write(table(run(measure(chosen.rounds, chosen.tickets, chosen.times))) + "\n")


if __name__ == "__main__":
    main()
