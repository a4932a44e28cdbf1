"""`python -m benchmarks`: every figure that docs/performance.md tells, beside its baseline of the same run, and which targets hold.

The server under test runs on one core and the load on another, where there are two; whoever is compared takes turns in the same rounds,
and medians are told. Nothing here is a stub: webhooks are signed, commits are durable, tasks are created and completed.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import endurance, footprint, growth, loss, overload, receiving, working
from benchmarks.figures import Figure, table
from benchmarks.load import run
from benchmarks.servers import pinned


async def _receiving() -> list[Figure]:
    return receiving.figures(await receiving.measure(rounds=6, seconds=1.5))


PARTS: dict[str, tuple[str, Callable[[], Awaitable[Sequence[Figure]]]]] = {
    "receiving": ("Receiving", _receiving),
    "working": ("End to end, and at rest", lambda: working.measure(rounds=7, tickets=1000, times=200)),
    "growth": ("Beside a million links and three million deliveries", lambda: growth.measure(1_000_000, 3, 10, 30)),
    "footprint": ("Footprint", lambda: footprint.measure(rounds=5, seconds=10)),
    "endurance": ("Half of the maximum for two minutes, then twice of it", lambda: endurance.measure(minutes=2)),
    "overload": ("More than can be held", lambda: overload.measure(seconds=10)),
    "loss": ("Loss", lambda: loss.measure(kills=20)),
}

MARKER = "<!-- below this line: written by `python -m benchmarks --write` -->"


async def measure(names: Sequence[str], tell: Callable[[str], None]) -> tuple[str, list[Figure]]:
    """The report, and its figures."""
    machine = f"Python {platform.python_version()}, {platform.machine()}, {len(os.sched_getaffinity(0))} cores"
    parts = [f"{datetime.now(UTC):%Y-%m-%d}; {machine}; {pinned()}"]
    every: list[Figure] = []
    for name in names:
        title, part = PARTS[name]
        began = time.perf_counter()
        found = await part()
        every += found
        parts.append(f"## {title}\n\n{table(found)}")
        tell(f"{title}: {time.perf_counter() - began:.0f} s")
    return "\n\n".join(parts), every


def main() -> int:
    """The exit code: 1 if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them by default")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the report into this file, below its marker")
    chosen = parser.parse_args()
    report, found = run(measure(chosen.parts or list(PARTS), lambda line: print(line, file=sys.stderr)))
    print(report)
    if chosen.write:
        before = chosen.write.read_text().partition(MARKER)[0]
        chosen.write.write_text(f"{before}{MARKER}\n\n{report}\n")
    missed = [figure.what for figure in found if figure.missed]
    print(f"\nmissed: {'; '.join(missed)}" if missed else "\nevery target holds")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
