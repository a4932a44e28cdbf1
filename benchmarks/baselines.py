"""`python -m benchmarks.baselines NAME`: what a user would have without a bridge, served or run as the bridge is.

`bare`: a Starlette endpoint that only reads the body. `transaction`: the same, with one SQLite transaction for each request. `least`:
the same, with all that an acknowledgement cannot do without: the signature, the JSON, and one SQLite commit for all who wait for it.
`loop`: the two calls of a ticket, again and again, with the bridge's HTTP client and nothing around them.
"""

import argparse
import asyncio
import hmac
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import httpx
import orjson
import uvloop
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load import SECRET
from bridge.serving import serving

_TABLE = "CREATE TABLE inbox (id INTEGER PRIMARY KEY, key TEXT UNIQUE, body BLOB)"
_ANSWER = b'{"deliveries":[1],"duplicates":0}'


async def _bare(request: Request) -> Response:
    await request.body()
    return Response(_ANSWER, 202, media_type="application/json")


@asynccontextmanager
async def _database() -> AsyncIterator[aiosqlite.Connection]:
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        async with aiosqlite.connect(Path(folder) / "inbox.db", isolation_level=None) as database:
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE inbox (body BLOB)"):
                await database.execute(statement)
            yield database


async def _serve(endpoint: Callable[[Request], object]) -> None:
    async with serving(Starlette(routes=[Route("/hooks/{source}", endpoint, methods=["POST"])])) as url:
        sys.stderr.write(json.dumps({"event": "listening", "url": url}) + "\n")
        await asyncio.Event().wait()


async def _serve_transactions() -> None:
    async with _database() as database:
        turn = asyncio.Lock()

        async def receive(request: Request) -> Response:
            body = await request.body()
            async with turn:
                await database.execute("BEGIN IMMEDIATE")
                await database.execute("INSERT INTO inbox VALUES (?)", (body,))
                await database.execute("COMMIT")
            return Response(_ANSWER, 202, media_type="application/json")

        await _serve(receive)


_INSERT = "INSERT INTO inbox (key, body) VALUES (?, ?) ON CONFLICT DO NOTHING"


class _Inbox:
    """One table, one thread that writes, and those who wait for its next commit."""

    def __init__(self, path: Path) -> None:
        self._writer = ThreadPoolExecutor(1)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", _TABLE):
            self._database.execute(statement)
        self._waiting: list[tuple[tuple[str, bytes], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def append(self, key: str, body: bytes) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(((key, body), future))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        await future

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            rows = [row for row, _ in batch]
            await asyncio.get_running_loop().run_in_executor(self._writer, self._commit, rows)
            for _, future in batch:
                future.set_result(None)
        self._writing = None

    def _commit(self, rows: list[tuple[str, bytes]]) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._database.executemany(_INSERT, rows)
        self._database.execute("COMMIT")


async def _serve_the_least() -> None:
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        inbox = _Inbox(Path(folder) / "inbox.db")

        async def receive(request: Request) -> Response:
            body = await request.body()
            signature = request.headers["x-hub-signature"].removeprefix("sha256=")
            if not hmac.compare_digest(signature, hmac.digest(SECRET, body, "sha256").hex()):
                return Response(status_code=401)
            key = orjson.loads(body)["issue"]["key"]
            await inbox.append(request.headers["x-atlassian-webhook-identifier"], body)
            return Response(orjson.dumps({"deliveries": [key], "duplicates": 0}), 202, media_type="application/json")

        await _serve(receive)


async def _loop(orchestrator: str, tickets: int, at_once: int) -> None:
    """Prints tickets per second."""
    numbers = iter(range(tickets))
    data = {"description": "The printer on floor 3 prints in mirror writing. " * 50}

    async def work(client: httpx.AsyncClient) -> None:
        for number in numbers:
            task = {"type": "ExternalTask", "title": f"Ticket {number}", "priority": "High", "data": data}
            created = await client.post("/tasks/GenericTasks/CreateTask", json=task)
            completed = await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": created.json()["id"]})
            completed.raise_for_status()

    transport = AiohttpTransport(limits=httpx.Limits(max_connections=at_once))
    async with httpx.AsyncClient(
        base_url=orchestrator, transport=transport, headers={"Authorization": "Bearer t"}
    ) as client:
        began = time.perf_counter()
        await asyncio.gather(*(work(client) for _ in range(at_once)))
        print(tickets / (time.perf_counter() - began))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines", description=__doc__)
    parser.add_argument("name", choices=["bare", "transaction", "least", "loop"])
    parser.add_argument("--orchestrator", default="")
    parser.add_argument("--tickets", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=10)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        match chosen.name:
            case "bare":
                runner.run(_serve(_bare))
            case "transaction":
                runner.run(_serve_transactions())
            case "least":
                runner.run(_serve_the_least())
            case _:
                runner.run(_loop(chosen.orchestrator, chosen.tickets, chosen.at_once))


if __name__ == "__main__":
    main()
