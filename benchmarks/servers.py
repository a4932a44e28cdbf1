"""The servers: the bridge and the bare endpoint in processes of their own on one core; the minimal Orchestrator beside the load."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load import SECRET, Connection, Served, body, request
from bridge.serving import serving

_SERVER_CORE, _LOAD_CORE = 0, 1


def pinned() -> str:
    """Put this process, which makes the load, on a core of its own; what was done, in words."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return "load and server share a core"
    os.sched_setaffinity(0, {cores[_LOAD_CORE]})
    os.environ["BENCHMARK_SERVER_CORE"] = str(cores[_SERVER_CORE])
    return "one core for the load, one for the server"


@asynccontextmanager
async def bare_server() -> AsyncIterator[Served]:
    """A Starlette endpoint that reads the body and answers 202."""
    async with process([sys.executable, "-m", "benchmarks.bare"]) as served:
        yield served


@asynccontextmanager
async def bridge_server(folder: Path, orchestrator: str | None) -> AsyncIterator[Served]:
    """`bridge run` on SQLite. Without an Orchestrator no route selects anything: the receiver and the intake work alone."""
    config = folder / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "server": {"port": 0},
                "orchestrator": {"url": orchestrator or "http://127.0.0.1:1", "auth": {"type": "token", "token": "t"}},
                "sources": {"jira": {"type": "jira", "secrets": [SECRET.decode()]}},
                "routes": [
                    {
                        "name": "all",
                        "source": "jira",
                        "when": f'ticket.project == "{"OPS" if orchestrator else "NONE"}"',
                    }
                ],
            }
        )
    )
    async with process([sys.executable, "-m", "bridge", "run", "--config", str(config)]) as served:
        yield served


@asynccontextmanager
async def process(command: list[str]) -> AsyncIterator[Served]:
    """A server on the server's core; a line of its log says where it listens."""
    core = os.environ.get("BENCHMARK_SERVER_CORE")
    pin = ["taskset", "-c", core] if core is not None else []
    process = await asyncio.create_subprocess_exec(*pin, *command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    line: dict[str, str] = {}
    while line.get("event") != "listening":
        text = await process.stderr.readline()
        if not text:
            raise RuntimeError(f"{' '.join(command)} did not start: {line}")
        line = json.loads(text)
    reading = asyncio.create_task(_read_on(process.stderr))
    try:
        yield Served(line["url"], process.pid)
    finally:
        process.terminate()
        await process.wait()
        await reading


async def _read_on(log: asyncio.StreamReader) -> None:
    while await log.read(65_536):
        pass


@dataclass
class StandIn:
    """As little Orchestrator as two calls need, so that the bridge is what is measured."""

    url: str = ""
    tasks: int = 0
    completed: int = 0
    expected: int = 0
    created: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def create(self, incoming: Request) -> Response:
        """CreateTask."""
        await incoming.body()
        self.tasks += 1
        self.created.set()
        return Response(b'{"id":%d,"status":0}' % self.tasks, 201, media_type="application/json")

    async def complete(self, incoming: Request) -> Response:
        """CompleteTask."""
        orjson.loads(await incoming.body())
        self.completed += 1
        if self.completed == self.expected:
            self.done.set()
        return Response(status_code=204)

    async def rate_of(self, bridge: Served, tickets: int) -> float:
        """Open and close so many tickets; how many a second, until the last task is completed."""
        self.expected = tickets
        opened = iter([request(body(number)) for number in range(1, tickets + 1)])
        closed = iter([request(body(number, closed=True)) for number in range(1, tickets + 1)])
        started = time.perf_counter()

        async def connection() -> None:
            async with Connection(bridge.url) as to:
                for messages in (opened, closed):
                    for message in messages:
                        await to.send(message)

        await asyncio.gather(*(connection() for _ in range(16)))
        await self.done.wait()
        if self.tasks != tickets:
            raise RuntimeError(f"{self.tasks} tasks for {tickets} tickets")
        return tickets / (time.perf_counter() - started)


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """The minimal Orchestrator, served beside the load."""
    orchestrator = StandIn()
    app = Starlette(
        routes=[
            Route("/tasks/GenericTasks/CreateTask", orchestrator.create, methods=["POST"]),
            Route("/tasks/GenericTasks/CompleteTask", orchestrator.complete, methods=["POST"]),
        ]
    )
    async with serving(app) as url:
        orchestrator.url = url
        yield orchestrator
