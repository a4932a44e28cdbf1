"""`python -m benchmarks.upkeep CONFIG`: a service that does its retention when it is told to, by a POST to `/retain`.

What is done in a full store beside webhooks: a poll cycle, a claim, and retention. The first two are timed in the process of the load;
retention in the service itself, which goes on to acknowledge webhooks.
"""

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import orjson
from sqlalchemy import func, select, update
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.load import run
from benchmarks.polling import acknowledged, after, configuration, cycles, p99
from benchmarks.servers import process
from bridge import logs
from bridge.config import Config
from bridge.model import TicketState
from bridge.service import DESTINATION, running, utc_now
from bridge.serving import serving
from bridge.store import Database, Store, Terms
from bridge.store.tables import deliveries, links
from bridge.sync.retention import retain
from bridge.web import create_app

AT_ONCE = 16
TERMS = Terms(timedelta(minutes=1), timedelta(seconds=30), lambda link, _snapshot, _now: link)


async def claim_ms(store: Store, times: int) -> list[float]:
    """Milliseconds for each claim of some of the open tickets' links, all of which are closed for it."""
    async with store.database.writing() as connection:
        ids = select(links.c.id).where(links.c.ticket_state == "open").order_by(links.c.id).limit(times * AT_ONCE)
        closed = {"ticket_state": TicketState.CLOSED, "closed_version": links.c.version, "due_at": utc_now()}
        await connection.execute(update(links).where(links.c.id.in_(ids)).values(closed))
    found = []
    for _ in range(times):
        began = time.perf_counter()
        claimed = await store.claims.claim(DESTINATION, AT_ONCE, utc_now(), TERMS)
        found.append((time.perf_counter() - began) * 1000)
        if len(claimed) != AT_ONCE:
            raise RuntimeError(f"{len(claimed)} links were claimed")
    return found


async def poll_seconds(config: Config, store: Store) -> float:
    """One poll of every open ticket, without its pauses."""
    await store.leases.release()
    await store.cursors.drop("poll/jira")
    (cycle,) = await cycles(config, store, 1)
    return cycle.seconds


@dataclass(frozen=True)
class Retained:
    """How many deliveries a retention removed, how long all of it took, and the p99 of acknowledgements before it and meanwhile."""

    deliveries: int
    seconds: float
    quiet_ms: float
    busy_ms: float


async def retention(url: str, config: Path) -> Retained:
    """Of a service in a process of its own, which takes a hundred webhooks a second."""
    before = await _count(url)
    async with process([sys.executable, "-m", "benchmarks.upkeep", str(config)]) as service:
        warming_up = await acknowledged(service, after(2), 100)
        quiet = await acknowledged(service, after(4), 100)
        async with httpx.AsyncClient(timeout=300) as http:
            began = time.perf_counter()
            retaining = asyncio.create_task(http.post(f"{service.url}/retain"))
            busy = await acknowledged(service, retaining.done, 100)
            (await retaining).raise_for_status()
            took = time.perf_counter() - began
    return Retained(before + len(warming_up) + len(quiet) + len(busy) - await _count(url), took, p99(quiet), p99(busy))


async def _count(url: str) -> int:
    database = Database(url, command_timeout=None)
    async with database.reading() as connection:
        found = int((await connection.execute(select(func.count()).select_from(deliveries))).scalar_one())
    await database.close()
    return found


async def serve(config: Config) -> None:
    """A service that has also this path."""
    async with running(config) as service:
        app: ASGIApp = create_app(service)

        async def also(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and scope["path"] == "/retain":
                await retain(service.store, config.retention, service.clock)
                await Response(status_code=204)(scope, receive, send)
            else:
                await app(scope, receive, send)

        async with serving(also, proxy_headers=False) as url:
            sys.stderr.write(orjson.dumps({"event": "listening", "url": url}).decode() + "\n")
            await asyncio.Event().wait()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upkeep", description=__doc__)
    parser.add_argument("config", type=Path)
    logs.configure("info")
    run(serve(configuration(parser.parse_args().config)))


if __name__ == "__main__":
    main()
