"""`python -m benchmarks.loss`: a service is killed under load, again and again; of what it acknowledged nothing may be lost.

What the bridge acknowledged must be in its database. Beside it Node-RED, where npm can install it: a ticket that it acknowledged is lost
if no task was made for it before it was killed, because it keeps nothing.
"""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

import orjson
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.figures import Figure, Target, table
from benchmarks.load import Connection, Served, body, request, run
from benchmarks.node_red import node_red, why_not
from benchmarks.servers import StandIn, empty_database, pinned, prepared, process, served

CONNECTIONS = 16
_SETTLED_S = 0.2
"""How long the calls that were under way at a kill take to arrive."""


async def until_it_dies(server: Served, numbers: "count[int]", after: float) -> dict[int, bytes]:
    """What was acknowledged until it was killed: the numbers of the tickets, with the answers."""
    acknowledged: dict[int, bytes] = {}

    async def connection() -> None:
        async with Connection(server.url) as to:
            while True:
                number = next(numbers)
                status, answer = await to.exchange(request(body(number)))
                if status != 202:
                    raise RuntimeError(f"the server answered {status}")
                acknowledged[number] = answer

    sending = [asyncio.create_task(connection()) for _ in range(CONNECTIONS)]
    await asyncio.sleep(after)
    os.kill(server.pid, signal.SIGKILL)
    for task in sending:
        await asyncio.wait({task})
        if not isinstance(task.exception(), OSError | EOFError):
            task.result()
    return acknowledged


def _moments(kills: int) -> list[float]:
    random = Random(1)  # noqa: S311 - when to kill
    return [random.uniform(0.3, 1.0) for _ in range(kills)]


async def of_the_bridge(kills: int) -> list[Figure]:
    """On SQLite, one database for all of it."""
    acknowledged: set[int] = set()
    numbers = count(1)
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database("sqlite", Path(name)) as url:
        command = await prepared(Path(name), url, None)
        for after in _moments(kills):
            async with process(command) as bridge:
                for answer in (await until_it_dies(bridge, numbers, after)).values():
                    acknowledged.update(orjson.loads(answer)["deliveries"])
        there = sqlite3.connect(Path(name) / "bridge.db")
        kept = {row[0] for row in there.execute("SELECT id FROM deliveries")}
        there.close()
    return [
        Figure(f"acknowledged over {kills} kills under load", len(acknowledged)),
        Figure("of them lost", len(acknowledged - kept), "", Target(0, 0, less=True)),
    ]


@dataclass
class Remembering(StandIn):
    """An Orchestrator that knows for which tickets it has tasks."""

    tickets: set[int] = field(default_factory=set)

    async def create(self, incoming: Request) -> Response:
        """CreateTask."""
        self.tickets.add(int(orjson.loads(await incoming.body())["title"].removeprefix("Ticket ")))
        return await super().create(incoming)


async def of_node_red(kills: int) -> list[Figure]:
    """With a flow that answers a webhook at once."""
    if reason := why_not():
        return [Figure(f"Node-RED was not measured: {reason}", None)]
    acknowledged: set[int] = set()
    numbers = count(1)
    async with served(Remembering()) as orchestrator:
        for after in _moments(kills):
            async with node_red(orchestrator.url) as server:
                acknowledged |= set(await until_it_dies(server, numbers, after))
            await asyncio.sleep(_SETTLED_S)
        lost = acknowledged - orchestrator.tickets
    return [
        Figure("acknowledged by Node-RED over as many", len(acknowledged)),
        Figure("of them lost", len(lost)),
    ]


async def measure(kills: int) -> list[Figure]:
    """One after the other."""
    return [*await of_the_bridge(kills), *await of_node_red(kills)]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loss", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    chosen = parser.parse_args()
    pinned()
    sys.stdout.write(table(run(measure(chosen.kills))) + "\n")


if __name__ == "__main__":
    main()
