"""`python -m benchmarks.baselines NAME`: what a user would have without a bridge, served or run as the bridge is.

`bare`: a Starlette endpoint that only reads the body. `transaction`: the same, with one SQLite transaction for each request. `least`:
all that an acknowledgement cannot do without, and nothing else: the signature, the JSON, and one SQLite commit of compressed bodies for
all who wait for it.
`loop`: the two calls of a ticket, again and again, with the bridge's HTTP client and nothing around them.
"""

import argparse
import asyncio
import gc
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
from typing import Any

import aiosqlite
import httpx
import lz4.frame
import orjson
import uvloop
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

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


def _routed(endpoint: Callable[..., Any]) -> Starlette:
    return Starlette(routes=[Route("/hooks/{source}", endpoint, methods=["POST"])])


async def _serve(app: ASGIApp) -> None:
    async with serving(app, proxy_headers=False) as url:
        gc.collect()
        gc.freeze()
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

        await _serve(_routed(receive))


_INSERT = "INSERT INTO inbox (key, body) VALUES {} ON CONFLICT DO NOTHING"


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
        values = [value for key, body in rows for value in (key, lz4.frame.compress(body))]
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute(_INSERT.format(", ".join(["(?, ?)"] * len(rows))), values)
        self._database.execute("COMMIT")


class _Least:
    """A plain ASGI endpoint beside Starlette's routing, as the bridge's is."""

    def __init__(self, inbox: _Inbox) -> None:
        self._inbox = inbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        headers = dict(scope["headers"])
        signature = headers[b"x-hub-signature"].removeprefix(b"sha256=").decode()
        if not hmac.compare_digest(signature, hmac.digest(SECRET, body, "sha256").hex()):
            raise PermissionError("the signature is wrong")
        key = orjson.loads(body)["issue"]["key"]
        await self._inbox.append(headers[b"x-atlassian-webhook-identifier"].decode(), body)
        answer = orjson.dumps({"deliveries": [key], "duplicates": 0})
        of = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 202, "headers": of})
        await send({"type": "http.response.body", "body": answer})


async def _serve_the_least() -> None:
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        await _serve(_Least(_Inbox(Path(folder) / "inbox.db")))


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
                runner.run(_serve(_routed(_bare)))
            case "transaction":
                runner.run(_serve_transactions())
            case "least":
                runner.run(_serve_the_least())
            case _:
                runner.run(_loop(chosen.orchestrator, chosen.tickets, chosen.at_once))


if __name__ == "__main__":
    main()
