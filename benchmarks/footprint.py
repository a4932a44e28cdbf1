"""`python -m benchmarks.footprint`: resident memory at rest, under load and after it; start-up; `bridge --help`."""

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

import httpx

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Served, run, webhooks
from benchmarks.servers import bridge_on, pinned

IDLE, LOADED, START = Target(110, 80, less=True), Target(180, 130, less=True), Target(1.5, 0.8, less=True)


def megabytes(server: Served, field: str) -> float:
    """`VmRSS`, what is resident now, or `VmHWM`, the most that ever was."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


async def start_up(engine: str) -> float:
    """Seconds from the process's start until `/readyz` is 200, on a database that is up to date."""
    async with bridge_on(engine) as bridge, httpx.AsyncClient() as http:
        while (await http.get(f"{bridge.url}/readyz")).status_code != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.005)
        return time.perf_counter() - bridge.started


async def memory(seconds: float) -> list[Figure]:
    """At rest, under as much load as it takes, and after it, on SQLite."""
    async with bridge_on("sqlite") as bridge:
        await asyncio.sleep(2)
        idle = megabytes(bridge, "VmRSS")
        await webhooks(bridge, seconds, 64)
        most, after = megabytes(bridge, "VmHWM"), megabytes(bridge, "VmRSS")
    return [
        Figure("memory at rest", idle, "MB", IDLE),
        Figure("memory under load", most, "MB", LOADED),
        Figure("memory after it", after, "MB"),
    ]


async def help_text() -> float:
    """Seconds that `bridge --help` takes."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bridge", "--help", stdout=asyncio.subprocess.DEVNULL
    )
    await process.wait()
    return time.perf_counter() - began


async def measure(rounds: int, seconds: float) -> list[Figure]:
    """Medians of several starts."""
    starts = {engine: [await start_up(engine) for _ in range(rounds)] for engine in ("sqlite", "postgresql")}
    helps = [await help_text() for _ in range(rounds)]
    return [
        *await memory(seconds),
        Figure("start-up to ready, SQLite", statistics.median(starts["sqlite"]), "s", START),
        Figure("start-up to ready, PostgreSQL", statistics.median(starts["postgresql"]), "s"),
        Figure("bridge --help", statistics.median(helps), "s"),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.footprint", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of load")
    chosen = parser.parse_args()
    pinned()
    sys.stdout.write(table(run(measure(chosen.rounds, chosen.seconds))) + "\n")


if __name__ == "__main__":
    main()
