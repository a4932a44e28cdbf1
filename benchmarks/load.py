"""The load: signed webhooks of about 6 KB over kept-alive connections, one request at a time on each."""

import asyncio
import hashlib
import hmac
import json
import re
import statistics
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import uvloop

SECRET = b"benchmark"
_FILLER = {f"customfield_{number}": None for number in range(10_000, 10_100)}
_PREPARED_PER_SECOND = 16_000
_FIRST_MS = 1_767_225_600_000
_ANY = 987_654_321
_QUIET_S = 0.25
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_DESCRIPTION = "The printer on floor 3 prints in mirror writing. " * 50


Done = TypeVar("Done")


def run(measuring: Coroutine[Any, Any, Done]) -> Done:
    """Run a benchmark on the event loop that servers run on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measuring)


@dataclass(frozen=True)
class Load:
    """What a round of load measured."""

    requests: int
    per_second: float
    p99_ms: float


def body(number: int, *, closed: bool = False, project: str = "OPS") -> bytes:
    """A webhook of Jira Cloud's shape and size."""
    status = (
        {"name": "Done", "statusCategory": {"key": "done"}}
        if closed
        else {"name": "Open", "statusCategory": {"key": "new"}}
    )
    fields = {
        **_FILLER,
        "summary": f"Ticket {number}",
        "description": _DESCRIPTION,
        "status": status,
        "project": {"key": project},
        "issuetype": {"name": "Bug"},
        "priority": {"name": "High"},
        "updated": f"2026-01-01T0{int(closed)}:00:00.000+0000",
    }
    issue = {
        "id": str(number),
        "key": f"{project}-{number}",
        "self": f"https://acme.test/rest/api/2/issue/{number}",
        "fields": fields,
    }
    return json.dumps({"timestamp": _FIRST_MS + number, "webhookEvent": "jira:issue_updated", "issue": issue}).encode()


def request(payload: bytes, path: str = "/hooks/jira") -> bytes:
    """The bytes of a signed webhook, with the headers of Jira Cloud's."""
    signature = hmac.new(SECRET, payload, hashlib.sha256).hexdigest()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"User-Agent: Atlassian Webhook HTTP Client\r\nX-Atlassian-Webhook-Identifier: {signature[:32]}\r\n"
        f"X-Atlassian-Webhook-Flow: Primary\r\n"
        f"X-Hub-Signature: sha256={signature}\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


def requests(first: int, how_many: int, project: str = "OPS") -> list[bytes]:
    """Webhooks of so many tickets, of which only the numbers and the times differ."""
    head, rest = body(_ANY, project=project).split(b"%d" % (_FIRST_MS + _ANY))
    parts = rest.split(b"%d" % _ANY)
    numbers = range(first, first + how_many)
    return [request(b"%b%d%b" % (head, _FIRST_MS + number, (b"%d" % number).join(parts))) for number in numbers]


async def webhooks(server: "Served", seconds: float, connections: int, first: int = 1, project: str = "OPS") -> Load:
    """As many different webhooks as are acknowledged in this time, or until those that were prepared have come to their end."""
    prepared = requests(first, int(seconds * _PREPARED_PER_SECOND), project)
    latencies: list[float] = []
    started = time.perf_counter()
    ends = started + seconds
    source = iter(prepared)

    async def connection() -> None:
        async with Connection(server.url) as to:
            while time.perf_counter() < ends and (message := next(source, None)) is not None:
                sent = time.perf_counter()
                status = await to.send(message)
                if status != 202:
                    raise RuntimeError(f"the server answered {status}")
                latencies.append(time.perf_counter() - sent)

    await asyncio.gather(*(connection() for _ in range(connections)))
    took = time.perf_counter() - started
    return Load(len(latencies), len(latencies) / took, statistics.quantiles(latencies, n=100)[98] * 1000)


class Connection(asyncio.Protocol):
    """One kept-alive HTTP connection, with as little client as possible: the load must not be what is measured."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = (host, int(port))
        self.head = b""
        """Of the last answer: its status line and its headers."""
        self._received = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def __aenter__(self) -> Self:
        self._transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, *self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    async def send(self, message: bytes) -> int:
        """Send a request, read its answer whole; the status."""
        status, _ = await self.exchange(message)
        return status

    async def exchange(self, message: bytes) -> tuple[int, bytes]:
        """Send a request; the status and the body of its answer. Raises `ConnectionResetError` if none comes."""
        if self._transport.is_closing():
            raise ConnectionResetError("the server has closed the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """More of an answer has come."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found or self._answer is None or self._answer.done():
            return
        length = _LENGTH.search(head)
        if length is not None and len(rest) >= int(length[1]):
            self.head, self._received = head, b""
            self._answer.set_result((int(head[9:12]), rest))

    def connection_lost(self, error: Exception | None) -> None:
        """No answer comes any more."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionResetError("the server has closed the connection"))


@dataclass(frozen=True)
class Served:
    """A server in a process of its own, which was `started` at that time of `time.perf_counter`."""

    url: str
    pid: int
    started: float

    async def rests(self) -> float:
        """Waits until it has nothing to do any more: it uses next to no CPU. How many seconds that took."""
        began, before = time.perf_counter(), -1.0
        while (now := self.cpu_seconds()) - before > 0.02:
            before = now
            await asyncio.sleep(_QUIET_S)
        return time.perf_counter() - began - _QUIET_S

    def cpu_seconds(self) -> float:
        """CPU time that the process's threads have used; 0 where that cannot be told."""
        try:
            threads = [thread.joinpath("schedstat").read_text() for thread in Path(f"/proc/{self.pid}/task").iterdir()]
        except OSError:
            return 0.0
        return sum(int(thread.split()[0]) for thread in threads) / 1e9
