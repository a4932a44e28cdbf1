"""Serving the Jira over a real socket, with the protocol that lets a fault cut a connection, and its webhooks called."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge.sandbox.jira.answering import Sleep
from bridge.sandbox.jira.app import create_app
from bridge.sandbox.jira.delivering import delivering
from bridge.sandbox.jira.world import SimulatedJira
from bridge.sandbox.orchestrator.serve import SERVING_OPTIONS
from bridge.serving import serving


@asynccontextmanager
async def jira_serving(
    jira: SimulatedJira, host: str = "127.0.0.1", port: int = 0, *, sleep: Sleep = asyncio.sleep
) -> AsyncIterator[str]:
    """The Jira's base URL while it is served; `sleep` is what latency and the webhooks' retries wait with.

    Raises `OSError` if the address is taken.
    """
    site = jira.site
    async with delivering(jira, sleep), serving(create_app(jira, sleep=sleep), host, port, **SERVING_OPTIONS) as url:
        jira.site = url
        try:
            yield url
        finally:
            jira.site = site
