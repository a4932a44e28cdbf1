"""Sending events to the registered webhooks: at once, each by itself, and never delaying an answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx

from bridge.sandbox.jira.hooks import Delivery, Hook
from bridge.sandbox.jira.sending import Sender, Webhook, taken
from bridge.sandbox.jira.world import SimulatedJira

TIMEOUT = httpx.Timeout(20, connect=5)
"""How long a receiver may take, as others have measured."""

PAUSE_S = (5 * 60.0, 15 * 60.0)
"""Between two tries, as others have measured; Atlassian says only that the last try may come half an hour late."""

Sleep = Callable[[float], Awaitable[None]]


class _Outbound:
    """A change may come from any thread; sending is done in the loop that made this."""

    def __init__(self, jira: SimulatedJira, sleep: Sleep) -> None:
        self._jira = jira
        self._sleep = sleep
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: httpx.AsyncClient | None = None

    def post(self, hook: Hook, webhook: Webhook) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it the Jira
            self._loop.call_soon_threadsafe(self._start, hook, webhook)

    async def idle(self) -> None:
        await asyncio.sleep(0)  # what was handed over arrives first
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def close(self) -> None:
        """End: what was not taken is lost."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()

    def _start(self, hook: Hook, webhook: Webhook) -> None:
        task = self._loop.create_task(self._deliver(hook, webhook))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, hook: Hook, webhook: Webhook) -> None:
        tries: list[int | None] = []
        if not self._jira.loses():
            wanted = hook.wanted
            self._http = self._http or httpx.AsyncClient(timeout=TIMEOUT)
            sender = Sender(self._http, wanted.url, wanted.secret, self._jira.flavour, wanted.exclude_body)
            tries = await sender.send(webhook, self._pause)
        self._jira.hooks.deliveries.append(Delivery(hook.id, webhook, tuple(tries), taken(tries)))

    async def _pause(self) -> None:
        await self._sleep(self._jira.random.uniform(*PAUSE_S))


@asynccontextmanager
async def delivering(jira: SimulatedJira, sleep: Sleep = asyncio.sleep) -> AsyncIterator[None]:
    """Registered webhooks are called while this lasts."""
    outbound = _Outbound(jira, sleep)
    jira.hooks.outbound = outbound
    try:
        yield
    finally:
        jira.hooks.outbound = None
        await outbound.close()
