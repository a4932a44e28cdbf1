"""`python -m benchmarks.working`: tickets opened and closed end to end, and how soon a webhook is a task when nothing else is done.

Webhook, CreateTask, webhook, CompleteTask, against a minimal Orchestrator that runs beside the load; the baseline is the same two calls
in a loop with the same HTTP client, as many at once, with no bridge around them; and Node-RED, where npm can install it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Connection, body, request, run
from benchmarks.node_red import node_red, why_not
from benchmarks.servers import bridge_on, pinned, stand_in

AT_ONCE = 16
"""Calls under way: what the bridge does by default."""

_TURNS_TO_WARM_UP = 3

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


@asynccontextmanager
async def warm_node_red(tickets: int) -> AsyncIterator[Callable[[], Awaitable[float]]]:
    """Gives tickets per second of Node-RED, which gets faster in its first few thousand."""
    numbers = count(1, tickets)
    async with stand_in() as orchestrator, node_red(orchestrator.url) as service:

        async def rate() -> float:
            return await orchestrator.rate_of(service, tickets, next(numbers))

        for _ in range(_TURNS_TO_WARM_UP):
            await rate()
        yield rate


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
    """The loop, Node-RED and the bridges by turns; then the bridges at rest."""
    rated: dict[str, Callable[[], Awaitable[float]]] = {"loop": lambda: bare_loop(tickets)}
    for engine in ENGINES:
        rated[engine] = partial(end_to_end, engine, tickets)
    async with AsyncExitStack() as stack:
        if (reason := why_not()) is None:
            rated["node-red"] = await stack.enter_async_context(warm_node_red(tickets))
        rates: dict[str, list[float]] = {name: [] for name in rated}
        for _ in range(rounds):
            for name, rate in rated.items():
                rates[name].append(await rate())
    median = {name: statistics.median(found) for name, found in rates.items()}
    lines = [Figure("bare httpx loop, two calls a ticket", median["loop"], "tickets/s")]
    if reason is None:
        lines.append(Figure("Node-RED, which keeps nothing", median["node-red"], "tickets/s"))
    else:
        lines.append(Figure(f"Node-RED was not measured: {reason}", None))
    for engine, name in ENGINES.items():
        lines.append(Figure(f"end to end, {name}", median[engine], "tickets/s"))
        share = median[engine] / median["loop"]
        lines.append(Figure(f"end to end, {name}, of the bare loop", share, "", Target(0.50, 0.75)))
        if reason is None:
            share = median[engine] / median["node-red"]
            lines.append(Figure(f"end to end, {name}, of Node-RED", share, "", Target(1, 2)))
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
