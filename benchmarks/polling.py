"""`python -m benchmarks.polling`: what a poll of many open tickets costs, and whether it delays webhooks.

A Jira Cloud of as many issues as there are links answers from a process of its own, with the fields that the bridge asks for. Nothing
has changed there: what is measured is the looking, which is what a poll does nearly always.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import insert
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load import SECRET, Connection, Served, body, request, run
from benchmarks.servers import pinned, process
from bridge import routes, trackers
from bridge.apis import ticket_apis
from bridge.config import Config, load
from bridge.model import Version
from bridge.service import followers, utc_now
from bridge.serving import serving
from bridge.store import Database, Store, upgrade
from bridge.store.tables import links, tickets
from bridge.sync.poller import Polled, Poller

UPDATED = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


# -- a Jira that answers quickly ---------------------------------------------------------------------------------------------------


def issue(number: str) -> dict[str, Any]:
    """An open issue with the fields that a poll asks for."""
    return {
        "id": number,
        "key": f"OPS-{number}",
        "self": f"https://acme.test/rest/api/3/issue/{number}",
        "fields": {
            "summary": f"Ticket {number} prints in mirror writing",
            "status": {"id": "1", "name": "Open", "statusCategory": {"id": 2, "key": "new", "name": "To Do"}},
            "resolution": None,
            "issuetype": {"id": "10004", "name": "Bug", "subtask": False},
            "project": {"id": "10000", "key": "OPS", "name": "Operations"},
            "priority": {"id": "2", "name": "High"},
            "labels": ["printer"],
            "assignee": {"accountId": "5b10a2844c20165700ede21g", "displayName": "Grace Hopper"},
            "reporter": {"accountId": "5b10a2844c20165700ede21h", "displayName": "Ada Lovelace"},
            "created": "2026-01-01T00:00:00.000+0000",
            "updated": "2026-01-01T00:00:00.000+0000",
        },
    }


async def bulk_fetch(incoming: Request) -> Response:
    """Every issue that is asked for."""
    asked = orjson.loads(await incoming.body())["issueIdsOrKeys"]
    return Response(orjson.dumps({"issues": [issue(one) for one in asked]}), media_type="application/json")


async def search(_incoming: Request) -> Response:
    """Nothing has changed."""
    return Response(b'{"issues":[],"isLast":true}', media_type="application/json")


@asynccontextmanager
async def jira() -> AsyncIterator[Served]:
    """It, in a process of its own."""
    async with process([sys.executable, "-m", "benchmarks.polling", "--jira"]) as served:
        yield served


async def serve_jira() -> None:
    """Until this process is ended."""
    paths = {"/rest/api/3/issue/bulkfetch": bulk_fetch, "/rest/api/3/search/jql": search}
    app = Starlette(routes=[Route(path, answer, methods=["POST"]) for path, answer in paths.items()])
    async with serving(app) as url:
        sys.stderr.write(orjson.dumps({"event": "listening", "url": url}).decode() + "\n")
        await asyncio.Event().wait()


# -- a bridge with many open tickets -----------------------------------------------------------------------------------------------


def written(folder: Path, jira: str, poll: str, database: str = "sqlite:///bridge.db") -> Path:
    """The configuration of a bridge that polls this Jira."""
    api = {"url": jira, "email": "bot@acme.test", "token": "t"}
    path = folder / "config.yaml"
    document = {
        "database": {"url": database},
        "server": {"port": 0},
        "orchestrator": {"url": "http://127.0.0.1:1", "auth": {"type": "token", "token": "t"}},
        "sources": {"jira": {"type": "jira", "secrets": [SECRET.decode()], "api": api, "poll": poll}},
        "routes": [{"name": "all", "source": "jira", "when": "ticket.project == 'NONE'"}],
    }
    path.write_bytes(orjson.dumps(document))
    return path


def configuration(path: Path) -> Config:
    """As the service reads it."""
    return load(path, {}, [routes.problems, trackers.problems])


async def fill(store: Store, count: int) -> None:
    """So many open tickets, each with its task."""
    at = Version(int(UPDATED.timestamp() * 1000)).encode()
    for start in range(1, count + 1, 10_000):
        numbers = range(start, min(start + 10_000, count + 1))
        async with store.database.writing() as connection:
            await connection.execute(insert(tickets), [_ticket(number, at) for number in numbers])
            await connection.execute(insert(links), [_link(number, at) for number in numbers])


def _ticket(number: int, at: str) -> dict[str, Any]:
    known = {"source": "jira", "ticket_id": str(number), "version": at, "closed_version": "", "updated_at": UPDATED}
    return {**known, "layers": {at: {"@key": f"OPS-{number}"}}}


def _link(number: int, at: str) -> dict[str, Any]:
    return {
        "source": "jira",
        "ticket_id": str(number),
        "generation": 1,
        "correlation_key": f"bridge/jira/{number}/1",
        "destination": "orchestrator",
        "route": "all",
        "route_version": at,
        "policy": {},
        "ticket_key": f"OPS-{number}",
        "ticket_state": "open",
        "version": at,
        "closed_version": "",
        "seen_open": True,
        "task_state": "open",
        "task_id": number,
        "ended_version": "",
        "claim": 1,
        "attempts": 0,
        "parked": False,
        "created_at": UPDATED,
        "updated_at": UPDATED,
    }


@asynccontextmanager
async def filled(config: Config, count: int) -> AsyncIterator[Store]:
    """A database with so many open tickets."""
    database = Database(config.database.url)
    await upgrade(database)
    store = Store(database)
    await fill(store, count)
    yield store
    await database.close()


# -- what is measured --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cycle:
    """One poll of every open ticket, without its pauses. Memory is this process's highest so far."""

    requests: int
    seconds: float
    cpu_seconds: float
    megabytes: float


async def cycles(config: Config, store: Store, rounds: int) -> list[Cycle]:
    """Several polls, one after the other."""
    done, now = [], utc_now()
    async with ticket_apis(config, utc_now) as apis:
        api = apis["jira"]
        asked, read = [0], api.read

        async def counted(ticket_ids: Any) -> Any:
            asked[0] += 1
            return await read(ticket_ids)

        api.read = counted  # type: ignore[method-assign]
        for number in range(rounds):
            asked[0] = 0
            polled = Polled("jira", followers(config)["jira"].tracker, api, HOUR)
            poller = Poller(polled, store, lambda number=number: now + number * HOUR, sleep=_at_once)  # type: ignore[misc]
            started, cpu = time.perf_counter(), time.process_time()
            await poller.poll()
            took, used = time.perf_counter() - started, time.process_time() - cpu
            done.append(Cycle(asked[0] + 1, took, used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    return done


async def _at_once(_seconds: float) -> None:
    return None


async def acknowledged(server: Served, is_over: Callable[[], bool], per_second: int) -> list[float]:
    """How long each of a steady stream of webhooks waits for its answer, in milliseconds."""
    numbers = iter(range(10**6, 10**7))
    latencies: list[float] = []
    async with Connection(server.url) as to:
        while not is_over():
            began = time.perf_counter()
            message = request(body(next(numbers)))
            sent = time.perf_counter()
            if await to.send(message) != 202:
                raise RuntimeError("a webhook was not acknowledged")
            latencies.append((time.perf_counter() - sent) * 1000)
            await asyncio.sleep(max(1 / per_second - (time.perf_counter() - began), 0))
    return latencies


def after(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have gone by."""
    ends = time.perf_counter() + seconds
    return lambda: time.perf_counter() > ends


def p99(latencies: list[float]) -> float:
    """Of many, the one that a hundredth exceeds."""
    return statistics.quantiles(latencies, n=100)[98]


async def measure(count: int, rounds: int, seconds: float, every: str) -> str:
    """The table."""
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as name:
        folder = Path(name)
        async with jira() as at:
            path = written(folder, at.url, every)
            config = configuration(path)
            async with filled(config, count) as store:
                polls = await cycles(config, store, rounds)
                await store.leases.release()
                await store.cursors.drop("poll/jira")
            idle: list[float] = []
            polling: list[float] = []
            for _ in range(rounds):
                for poll, found in (("off", idle), (every, polling)):
                    written(folder, at.url, poll)
                    async with process([sys.executable, "-m", "bridge", "run", "--config", str(path)]) as bridge:
                        await acknowledged(bridge, after(1), 100)
                        found.append(p99(await acknowledged(bridge, after(seconds), 100)))
    lines = [f"{count} open tickets on Jira Cloud", ""]
    lines += [
        f"poll {number}: {one.requests} requests, {one.seconds:.1f} s without pauses, {one.cpu_seconds:.1f} s of CPU, "
        f"{one.megabytes:.0f} MB resident at most"
        for number, one in enumerate(polls, 1)
    ]
    quiet, busy = statistics.median(idle), statistics.median(polling)
    lines.append(
        f"p99 of an acknowledgement at 100/s: {quiet:.1f} ms without polls, {busy:.1f} ms during a poll every {every} "
        f"({busy / quiet:.2f} of it; medians of {rounds} rounds)"
    )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.polling", description=__doc__)
    parser.add_argument("--jira", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of webhooks in a round")
    parser.add_argument("--every", default="5m", help="how often the bridge polls while webhooks come")
    chosen = parser.parse_args()
    if chosen.jira:
        run(serve_jira())
        return
    pinned()
    sys.stdout.write(run(measure(chosen.tickets, chosen.rounds, chosen.seconds, chosen.every)) + "\n")


if __name__ == "__main__":
    main()
