"""kill -9 during a run of 500 tickets, ten times: every acknowledged delivery is there, and no ticket has two tasks."""

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import World, sandbox_serving
from tests.driving import PATIENCE_S, Bridge, until, written
from tests.processes import bridge_process
from tests.values import body_of, jira_event

pytestmark = pytest.mark.anyio

TICKETS = 500
KILLS = 10


class Tracker:
    """Sends every event until it is acknowledged, as a tracker that retries does, and remembers what was acknowledged."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self._events = asyncio.Queue[dict[str, Any]]()
        for event in events:
            self._events.put_nowait(event)
        self._total = len(events)
        self.acknowledged: list[bytes] = []
        self.progress = asyncio.Event()

    @property
    def done(self) -> bool:
        return len(self.acknowledged) == self._total

    async def send(self, bridge: Bridge, senders: int = 8) -> None:
        """Send what is left; ends when all is acknowledged, or the bridge is gone."""
        await asyncio.gather(*(self._sender(bridge) for _ in range(senders)))

    async def _sender(self, bridge: Bridge) -> None:
        while not self._events.empty():
            event = self._events.get_nowait()
            try:
                answer = await bridge.hook(event)
                assert answer.status_code == 202, answer.text
            except httpx.TransportError:
                self._events.put_nowait(event)
                return
            self.acknowledged.append(body_of(event))
            self.progress.set()

    async def until_acknowledged(self, count: int) -> None:
        while len(self.acknowledged) < count and not self.done:
            self.progress.clear()
            await self.progress.wait()


async def test_kill_9_ten_times(tmp_path: Path) -> None:
    world, random = World(), Random(9)  # noqa: S311 - when to kill
    opened = [jira_event(number, event="jira:issue_created") for number in range(1, TICKETS + 1)]
    closed = [jira_event(number, at=60, closed=True) for number in range(1, TICKETS + 1)]
    events = [event for pair in zip(opened, closed, strict=True) for event in pair]
    tracker = Tracker(events)
    kills_at = sorted(random.sample(range(20, 2 * TICKETS - 20), KILLS))
    async with sandbox_serving(world) as url:
        config = written(tmp_path, url)
        for kill_at in kills_at:
            async with (
                bridge_process(config) as process,
                httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
            ):
                sending = asyncio.create_task(tracker.send(Bridge(process.url, http)))
                await tracker.until_acknowledged(kill_at)
                process.kill()
                await sending
        async with (
            bridge_process(config) as process,
            httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
        ):
            bridge = Bridge(process.url, http)
            await tracker.send(bridge)
            assert tracker.done

            async def drained() -> bool:
                summary = (await bridge.http.get("/api/v1/summary")).json()
                return (summary["deliveries"]["pending"], summary["links"]["settled"]) == (0, TICKETS)

            await until(drained, "all is drained")
            kept = (await bridge.http.get("/api/v1/summary")).json()["deliveries"]

    assert kept["applied"] >= len(tracker.acknowledged) == 2 * TICKETS
    assert kept["parked"] == kept["ignored"] == 0
    tasks = Counter(task.request.parent_operation_id for task in world.all_tasks())
    assert len(tasks) == TICKETS
    assert set(tasks.values()) == {1}
    assert {task.completions for task in world.all_tasks()} == {1}
