"""Webhooks that come at their times, whatever becomes of those before them, over as many connections as that takes.

Their latency counts from the time at which they were due, so that a service that falls behind cannot hide it.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from benchmarks.figures import Figure, Target
from benchmarks.footprint import megabytes
from benchmarks.load import Connection, Served

MOST_CONNECTIONS = 800
"""What a file limit of 1024 leaves to each side."""

_QUICK_S = 0.05


@dataclass
class Arrivals:
    """When each webhook was due, and how long it took until it was acknowledged.

    How many were refused for now, with 503 and Retry-After, and how all others were answered.
    """

    acknowledged: list[tuple[float, float]] = field(default_factory=list)
    refused: int = 0
    others: Counter[int] = field(default_factory=Counter)
    free: list[Connection] = field(default_factory=list)

    async def send(self, server: Served, message: bytes, due: float) -> None:
        """One webhook, over a connection that is free, or a new one: the server closes those that were free for long."""
        connection, status = await self._exchange(server, message)
        if status == 202:
            self.acknowledged.append((due, time.perf_counter() - due))
        elif status == 503 and b"\r\nretry-after: " in connection.head.lower():
            self.refused += 1
        else:
            self.others[status] += 1
        self.free.append(connection)

    async def _exchange(self, server: Served, message: bytes) -> tuple[Connection, int]:
        while self.free:
            connection = self.free.pop()
            with suppress(OSError, EOFError):
                return connection, await connection.send(message)
        connection = await Connection(server.url).__aenter__()
        return connection, await connection.send(message)

    @property
    def not_acknowledged(self) -> int:
        """Whatever the answer was."""
        return self.refused + self.others.total()

    def per_second(self) -> float:
        """Acknowledgements, from the first that was due to the last that came."""
        ends = max(due + took for due, took in self.acknowledged)
        return len(self.acknowledged) / (ends - min(due for due, _ in self.acknowledged))

    def p99_ms(self, since: float, until: float) -> float:
        """Of those that were due in between."""
        times = [took for due, took in self.acknowledged if since <= due < until]
        return statistics.quantiles(times, n=100)[98] * 1000


async def arrive(server: Served, per_second: float, seconds: float, webhook: Callable[[], bytes]) -> Arrivals:
    """At even intervals; when all connections are taken the next one waits, and its time runs."""
    arrivals = Arrivals()
    places = asyncio.Semaphore(MOST_CONNECTIONS)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(per_second * seconds)):
            due = began + number / per_second
            if due - time.perf_counter() > 0.001:
                await asyncio.sleep(due - time.perf_counter())
            if time.perf_counter() - began > 2 * seconds:
                break
            await places.acquire()
            sending = group.create_task(arrivals.send(server, webhook(), due))
            sending.add_done_callback(lambda _: places.release())
    for connection in arrivals.free:
        await connection.__aexit__()
    return arrivals


async def overload(server: Served, maximum: float, seconds: float, webhook: Callable[[], bytes]) -> list[Figure]:
    """What becomes of twice as many as it can take, and how soon it is over."""
    arrivals = await arrive(server, maximum * 2, seconds, webhook)
    again = await _recovered(server, webhook)
    return [
        Figure(f"twice as many for {seconds:g} s: acknowledged", arrivals.per_second(), "/s"),
        Figure("of the most", arrivals.per_second() / maximum, "", Target(0.90, 0.97)),
        Figure("refused with 503 and Retry-After", arrivals.refused),
        Figure("neither", arrivals.others.total(), "", Target(0, 0, less=True)),
        Figure("memory at most", megabytes(server, "VmHWM"), "MB", Target(260, 180, less=True)),
        Figure("recovered after", again, "s", Target(1, 0.2, less=True)),
    ]


async def _recovered(server: Served, webhook: Callable[[], bytes]) -> float:
    """Seconds until a webhook is acknowledged within 50 ms."""
    began = time.perf_counter()
    async with Connection(server.url) as to:
        while True:
            sent = time.perf_counter()
            await to.send(webhook())
            if time.perf_counter() - sent < _QUICK_S:
                return time.perf_counter() - began
