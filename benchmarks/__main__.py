"""`python -m benchmarks`: acknowledged webhooks per second beside a bare endpoint, and tasks per second end to end.

The server under test runs on one core and the load on another, where there are two; both servers take their turns in the same rounds,
and medians are printed. Nothing here is a stub: webhooks are signed, commits are durable, tasks are created and completed.
"""

import argparse
import asyncio
import platform
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.load import Load, webhooks
from benchmarks.servers import bare_server, bridge_server, pinned, stand_in


async def receive(rounds: int, seconds: float, connections: int) -> tuple[list[Load], list[Load]]:
    """Signed 6 KB webhooks, acknowledged after a durable commit; and a bare Starlette endpoint that only reads the body."""
    bare: list[Load] = []
    durable: list[Load] = []
    for _ in range(rounds):
        async with bare_server() as url:
            bare.append(await webhooks(url, seconds, connections))
        with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
            async with bridge_server(Path(folder), orchestrator=None) as url:
                durable.append(await webhooks(url, seconds, connections))
    return bare, durable


async def end_to_end(rounds: int, tickets: int) -> list[float]:
    """Tickets per second from the first webhook to the last CompleteTask, against a minimal Orchestrator: two calls a ticket."""
    rates = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
            async with stand_in() as orchestrator, bridge_server(Path(folder), orchestrator.url) as url:
                rates.append(await orchestrator.rate_of(url, tickets))
    return rates


def report(bare: list[Load], durable: list[Load], rates: list[float], cores: str) -> str:
    """The table."""
    bare_rate, durable_rate = (statistics.median(load.per_second for load in loads) for loads in (bare, durable))
    bare_p99, durable_p99 = (statistics.median(load.p99_ms for load in loads) for loads in (bare, durable))
    bare_cpu, durable_cpu = (statistics.median(load.cpu_us for load in loads) for loads in (bare, durable))
    lines = [
        f"Python {platform.python_version()}, {platform.machine()}, {cores}; medians of {len(bare)} rounds",
        "",
        f"{'':42}{'per second':>12}{'of bare':>9}{'p99 ms':>9}{'CPU µs':>9}",
        f"{'bare Starlette: reads the body, 202':42}{bare_rate:12.0f}{1:9.2f}{bare_p99:9.1f}{bare_cpu:9.0f}",
        (
            f"{'bridge: signed, durable on SQLite, 202':42}{durable_rate:12.0f}{durable_rate / bare_rate:9.2f}"
            f"{durable_p99:9.1f}{durable_cpu:9.0f}"
        ),
        "",
        f"{'end to end: tickets opened and closed':42}{statistics.median(rates):12.0f}   (two webhooks and two calls each)",
    ]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5, help="of load in a round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--tickets", type=int, default=1000, help="of an end-to-end round")
    chosen = parser.parse_args()
    cores = pinned()
    bare, durable = asyncio.run(receive(chosen.rounds, chosen.seconds, chosen.connections))
    rates = asyncio.run(end_to_end(max(chosen.rounds // 2, 1), chosen.tickets))
    sys.stdout.write(report(bare, durable, rates, cores) + "\n")


if __name__ == "__main__":
    main()
