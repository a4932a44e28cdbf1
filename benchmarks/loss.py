"""`python -m benchmarks.loss`: a service is killed under load, again and again; what was acknowledged must be in its database."""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
from itertools import count
from pathlib import Path
from random import Random

import orjson

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Connection, Served, body, request, run
from benchmarks.servers import empty_database, pinned, prepared, process

CONNECTIONS = 16


async def until_it_dies(bridge: Served, numbers: "count[int]", after: float) -> set[int]:
    """The deliveries that were acknowledged until it was killed."""
    acknowledged: set[int] = set()

    async def connection() -> None:
        async with Connection(bridge.url) as to:
            while True:
                _, answer = await to.exchange(request(body(next(numbers))))
                acknowledged.update(orjson.loads(answer)["deliveries"])

    sending = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(after)
    os.kill(bridge.pid, signal.SIGKILL)
    for task in sending:
        await asyncio.wait({task})
        if not isinstance(task.exception(), OSError | EOFError):
            task.result()
    return acknowledged


async def measure(kills: int) -> list[Figure]:
    """On SQLite, one database for all of it."""
    acknowledged: set[int] = set()
    numbers, random = count(1), Random(1)  # noqa: S311 - when to kill
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("sqlite", Path(name)) as url:
        command = await prepared(Path(name), url, None)
        for _ in range(kills):
            async with process(command) as bridge:
                acknowledged |= await until_it_dies(bridge, numbers, random.uniform(0.3, 1.0))
        there = sqlite3.connect(Path(name) / "bridge.db")
        kept = {row[0] for row in there.execute("SELECT id FROM deliveries")}
        there.close()
    return [
        Figure(f"acknowledged over {kills} kills under load", len(acknowledged)),
        Figure("of them lost", len(acknowledged - kept), "", Target(0, 0, less=True)),
    ]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    pinned()
    sys.stdout.write(table(run(measure(chosen.kills))) + "\n")


if __name__ == "__main__":
    main()
