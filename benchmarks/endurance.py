"""`python -m benchmarks.endurance`: minutes at half of the maximum, then twice the maximum; what grows, and what becomes of it after.

Webhooks of 6 KB. What more than that does to the receiver: `benchmarks.overload`.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from benchmarks.arrivals import arrive, overload
from benchmarks.figures import Figure, Target, table
from benchmarks.footprint import megabytes
from benchmarks.load import Served, requests, run, webhooks
from benchmarks.servers import empty_database, pinned, prepared, process

AT_ONCE = 64
FLAT = Target(1.1, 1.03, less=True)

_numbers = count(100_000_000)


def webhook() -> bytes:
    """The next one."""
    return requests(next(_numbers), 1)[0]


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
            half = await arrive(server, maximum / 2, lasts, webhook)
            watching.cancel()
            await server.rests()
            files_then = _open_files(server)
            memory, memory_then = _fifths(sizes.memory)
            early = half.p99_ms(began + lasts / 5, began + lasts * 2 / 5)
            late = half.p99_ms(began + lasts * 4 / 5, began + lasts)
            twice = await overload(server, maximum, 15, webhook)
    return [
        Figure("all that an intake keeps up with", maximum, "/s"),
        Figure(f"half of it for {minutes:g} min: not acknowledged", half.not_acknowledged, "", Target(0, 0, less=True)),
        Figure("p99 early", early, "ms"),
        Figure("p99 at the end", late, "ms"),
        Figure("memory early", memory, "MB"),
        Figure("memory at the end, of that", memory_then / memory, "", FLAT),
        Figure("open files after it, more than before", files_then - files, "", Target(0, 0, less=True)),
        Figure("write-ahead log, at most", max(sizes.log), "MB", Target(64, 16, less=True)),
        *twice,
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
