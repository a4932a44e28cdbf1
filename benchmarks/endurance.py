"""`python -m benchmarks.endurance`: minutes at half of the maximum, then twice the maximum; what grows, and what becomes of it after.

Webhooks come at their times, whatever becomes of those before them, over as many connections as that takes. Their latency counts
from the time at which they were due, so that a service that falls behind cannot hide it.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.figures import Figure, Target, table
from benchmarks.footprint import megabytes
from benchmarks.load import Connection, Served, body, request, requests, run, webhooks
from benchmarks.servers import empty_database, pinned, prepared, process

AT_ONCE = 64
MOST_CONNECTIONS = 800
"""What a file limit of 1024 leaves to each side."""

FLAT = Target(1.1, 1.03, less=True)

_numbers = count(100_000_000)


@dataclass
class Arrivals:
    """When each webhook was due, and how long it took until it was acknowledged; how the others were answered."""

    acknowledged: list[tuple[float, float]] = field(default_factory=list)
    others: Counter[int] = field(default_factory=Counter)
    free: list[Connection] = field(default_factory=list)

    async def send(self, server: Served, message: bytes, due: float) -> None:
        """One webhook, over a connection that is free, or a new one: the server closes those that were free for long."""
        connection, status = await self._exchange(server, message)
        if status == 202:
            self.acknowledged.append((due, time.perf_counter() - due))
            self.free.append(connection)
        else:
            self.others[status] += 1
            await connection.__aexit__()

    async def _exchange(self, server: Served, message: bytes) -> tuple[Connection, int]:
        while self.free:
            connection = self.free.pop()
            with suppress(OSError, EOFError):
                return connection, await connection.send(message)
        connection = await Connection(server.url).__aenter__()
        return connection, await connection.send(message)

    def p99_ms(self, since: float, until: float) -> float:
        """Of those that were due in between."""
        times = [took for due, took in self.acknowledged if since <= due < until]
        return statistics.quantiles(times, n=100)[98] * 1000


async def arrive(server: Served, per_second: float, seconds: float) -> Arrivals:
    """Webhooks at even intervals; when all connections are taken the next one waits, and its time runs."""
    arrivals = Arrivals()
    places = asyncio.Semaphore(MOST_CONNECTIONS)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            if due - time.perf_counter() > 0.001:
                await asyncio.sleep(due - time.perf_counter())
            if time.perf_counter() - began > 2 * seconds:
                break
            await places.acquire()
            sending = group.create_task(arrivals.send(server, requests(next(_numbers), 1)[0], due))
            sending.add_done_callback(lambda _: places.release())
    for connection in arrivals.free:
        await connection.__aexit__()
    return arrivals


@dataclass
class Sizes:
    """What may grow, seen again and again."""

    server: Served
    folder: Path
    memory: list[float] = field(default_factory=list)
    log: list[float] = field(default_factory=list)

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.memory.append(megabytes(self.server, "VmRSS"))
            with suppress(FileNotFoundError):
                self.log.append((self.folder / "bridge.db-wal").stat().st_size / 2**20)
            await asyncio.sleep(0.5)


def _open_files(server: Served) -> int:
    return sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir())


def _fifths(values: list[float]) -> tuple[float, float]:
    """The medians of the second fifth, when it is warm, and of the last."""
    fifth = len(values) // 5
    return statistics.median(values[fifth : 2 * fifth]), statistics.median(values[-fifth:])


async def _recovered(server: Served) -> float:
    """Seconds until a webhook is acknowledged within 50 ms."""
    began = time.perf_counter()
    async with Connection(server.url) as to:
        while True:
            sent = time.perf_counter()
            await to.send(request(body(next(_numbers))))
            if time.perf_counter() - sent < 0.05:
                return time.perf_counter() - began


async def measure(minutes: float) -> list[Figure]:
    """On SQLite."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("sqlite", Path(name)) as url:
        async with process(await prepared(Path(name), url, None)) as server:
            await webhooks(server, 1, AT_ONCE)
            await server.rests()
            load = await webhooks(server, 5, AT_ONCE, first=50_000_000)
            maximum = load.requests / (load.requests / load.per_second + await server.rests())
            files = _open_files(server)
            sizes = Sizes(server, Path(name))
            watching = asyncio.create_task(sizes.watch())
            began, lasts = time.perf_counter(), minutes * 60
            half = await arrive(server, maximum / 2, lasts)
            watching.cancel()
            await server.rests()
            files_then = _open_files(server)
            memory, memory_then = _fifths(sizes.memory)
            early = half.p99_ms(began + lasts / 5, began + lasts * 2 / 5)
            late = half.p99_ms(began + lasts * 4 / 5, began + lasts)
            twice = await arrive(server, maximum * 2, 15)
            recovered = await _recovered(server)
            most = megabytes(server, "VmHWM")
    span = max(due + took for due, took in twice.acknowledged) - min(due for due, _ in twice.acknowledged)
    return [
        Figure("all that an intake keeps up with", maximum, "/s"),
        Figure(f"half of it for {minutes:g} min: not acknowledged", half.others.total(), "", Target(0, 0, less=True)),
        Figure("p99 early", early, "ms"),
        Figure("p99 at the end", late, "ms"),
        Figure("memory early", memory, "MB"),
        Figure("memory at the end, of that", memory_then / memory, "", FLAT),
        Figure("open files after it, more than before", files_then - files, "", Target(0, 0, less=True)),
        Figure("write-ahead log, at most", max(sizes.log), "MB", Target(64, 16, less=True)),
        Figure("twice of it for 15 s: acknowledged", len(twice.acknowledged) / span, "/s"),
        Figure("of the maximum", len(twice.acknowledged) / span / maximum, "", Target(0.90, 0.97)),
        Figure("refused with 503", twice.others[503]),
        Figure("neither", twice.others.total() - twice.others[503], "", Target(0, 0, less=True)),
        Figure("memory at most", most, "MB", Target(260, 180, less=True)),
        Figure("recovered after", recovered, "s", Target(1, 0.2, less=True)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="at half of the maximum")
    chosen = parser.parse_args()
    pinned()
    sys.stdout.write(table(run(measure(chosen.minutes))) + "\n")


if __name__ == "__main__":
    main()
