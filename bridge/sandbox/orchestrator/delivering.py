"""Sending events to webhooks: at once, in order for each webhook, once. It never delays an answer, and nothing is kept to be sent later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from bridge.sandbox.orchestrator import events
from bridge.sandbox.orchestrator.webhooks import Delivery, Webhook, nowhere
from bridge.sandbox.orchestrator.world import Activity, World

TIMEOUT_S = 10.0
"""How long a receiver may take. No source says how long Orchestrator waits."""


@dataclass(frozen=True, slots=True)
class _Parcel:
    webhook: Webhook
    event: dict[str, Any]
    forced: bool  # a ping goes even to a webhook that is silenced: that is what it is for


class Sender:
    """Sends what happens in one world. A change may come from any thread; sending is done in the loop that made the sender."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._queues: dict[int, asyncio.Queue[_Parcel]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def changed(self, activity: Activity) -> None:
        """Tell every webhook that wants to know."""
        if self._world.webhooks.all() and (event := events.of_activity(self._world, activity)):
            self._world.webhooks.send(event)

    def post(self, webhook: Webhook, event: dict[str, Any], *, forced: bool = False) -> None:
        """Put an event on its way."""
        parcel = _Parcel(webhook, event, forced)
        with suppress(RuntimeError):  # the loop has ended, and with it the sandbox
            self._loop.call_soon_threadsafe(self._put, parcel)

    async def idle(self) -> None:
        """Wait until everything so far was sent or skipped."""
        await asyncio.sleep(0)  # what another thread has handed over arrives first
        for queue in tuple(self._queues.values()):
            await queue.join()

    async def close(self) -> None:
        """End: what was not sent is lost, as it is on the real one."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for client in self._clients.values():
            await client.aclose()

    def _put(self, parcel: _Parcel) -> None:
        queue = self._queues.get(parcel.webhook.id)
        if queue is None:
            queue = self._queues[parcel.webhook.id] = asyncio.Queue()
            self._tasks.add(self._loop.create_task(self._work(queue)))
        queue.put_nowait(parcel)

    async def _work(self, queue: asyncio.Queue[_Parcel]) -> None:
        while True:
            parcel = await queue.get()
            try:
                self._world.webhooks.deliveries.append(await self._delivered(parcel))
            finally:
                queue.task_done()

    async def _delivered(self, parcel: _Parcel) -> Delivery:
        webhook, event, now = parcel.webhook, parcel.event, self._world.clock()
        about: dict[str, Any] = {
            "webhook_id": webhook.id,
            "event_id": event["EventId"],
            "type": event["Type"],
            "at": now,
        }
        if webhook.silent(now) and not parcel.forced:
            return Delivery(**about, skipped=True, error="its breaker is open after a failed call")
        try:
            status = await self._call(webhook, event)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            self._world.webhooks.failed(webhook, now)
            return Delivery(**about, error=f"{type(error).__name__}: {error}")
        if not 200 <= status < 300:
            self._world.webhooks.failed(webhook, now)
        return Delivery(**about, status=status)

    async def _call(self, webhook: Webhook, event: dict[str, Any]) -> int:
        """The status of the answer; its body is not read."""
        wanted, body = webhook.wanted, orjson.dumps(event)
        headers = {"Content-Type": "application/json"}
        if wanted.secret:
            headers["X-UiPath-Signature"] = events.signature(wanted.secret, body)
        client = self._client(insecure=wanted.allow_insecure_ssl)
        async with client.stream("POST", wanted.url, content=body, headers=headers) as response:
            return response.status_code

    def _client(self, *, insecure: bool) -> httpx.AsyncClient:
        if insecure not in self._clients:
            self._clients[insecure] = httpx.AsyncClient(verify=not insecure, timeout=TIMEOUT_S)
        return self._clients[insecure]


@asynccontextmanager
async def delivering(world: World) -> AsyncIterator[Sender]:
    """Events are sent while this lasts."""
    sender = Sender(world)
    world.listeners.append(sender.changed)
    world.webhooks.post = sender.post
    try:
        yield sender
    finally:
        world.webhooks.post = nowhere
        world.listeners.remove(sender.changed)
        await sender.close()
