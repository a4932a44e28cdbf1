"""`python -m benchmarks.baselines NAME`: what a user would have without a bridge, served or run as the bridge is.

`bare`: a Starlette endpoint that only reads the body. `transaction`: the same, with one SQLite transaction for each request.
`loop`: the two calls of a ticket, again and again, with the bridge's HTTP client and nothing around them.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.serving import serving

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
    parser.add_argument("name", choices=["bare", "transaction", "loop"])
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
            case _:
                runner.run(_loop(chosen.orchestrator, chosen.tickets, chosen.at_once))


if __name__ == "__main__":
    main()
